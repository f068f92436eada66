// Families at bad moments: what a supervisor, its guest and the directory do when an end, a refusal or a full queue
// comes between two steps of something else.
#include "tests/node/family.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A supervisor that goes on trying, without haste.
const std::string kTriesOn =
    "[supervisor]\nintensity = 100000\n[supervisor.backoff]\ninitial = \"10 ms\"\nmax = \"10 ms\"\n";

class FamilyFaultsTest : public FamilyTest {
 protected:
  // Until `ready` says so; false after kLong.
  template <typename Ready>
  static bool wait_until(Ready ready) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (!ready()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  bool says_ok(const ActorId& actor, const std::string& message) {
    return wait_until([&] { return ask(actor, message).starts_with("ok"); });
  }
  // A family whose supervisor waits for this one's room, too.
  SpawnRequest watched_family(const std::string& package, const std::string& supervisor,
                              const std::vector<Child>& children, std::shared_ptr<Subscriber> subscriber) {
    SpawnRequest request;
    static_cast<Bundle&>(request) = bundle_of("sup", package, "[supervisor]\n" + supervisor + "\n", children);
    request.subscribers = {std::move(subscriber)};
    return request;
  }
};

// --- what a child is made from ---

// Each chain replays at the end of its test: so must one that says how much was too much.
TEST_F(FamilyFaultsTest, AStateThatIsTooLargeForAPatternIsRefusedAndReplays) {
  const std::string large(70'000, 'x');
  const auto simple = boss("strategy = \"simple_one_for_one\"", {{"kid", "restart = \"temporary\""}});
  EXPECT_THAT(ask(simple, "start-child " + large), HasSubstr("the limit is 65536 bytes, 70000 were given"));
  EXPECT_THAT(ask(boss(), "start-child " + large), HasSubstr("invalid_spec"));
}

}  // namespace
}  // namespace theater::node
