// Drives a fuzz target where libFuzzer isn't linked: every input of the folders given, mutations of each, and noise.
// The same inputs on every run, so that a failure is reproduced by running the program again.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

constexpr int kNoiseInputs = 5000;
constexpr int kMutationsPerInput = 200;
constexpr size_t kNoiseSizeMax = 512;

void run(const Input& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

// One to four changes: a byte replaced, a bit flipped, a byte removed, a byte inserted, the end cut off.
Input mutated(Input input, theater::Random& random) {
  for (uint64_t changes = 1 + random.below(4); changes > 0; changes--) {
    const size_t at = input.empty() ? 0 : random.below(input.size());
    const uint8_t byte = static_cast<uint8_t>(random.next_u64());
    switch (input.empty() ? 3 : random.below(5)) {
      case 0: input[at] = byte; break;
      case 1: input[at] ^= static_cast<uint8_t>(1u << random.below(8)); break;
      case 2: input.erase(input.begin() + static_cast<ptrdiff_t>(at)); break;
      case 3: input.insert(input.begin() + static_cast<ptrdiff_t>(at), byte); break;
      default: input.resize(at);
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  theater::SeededRandom random(1);
  int inputs = 0;
  for (int i = 1; i < argc; i++) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      const Input input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      run(input);
      for (int m = 0; m < kMutationsPerInput; m++) run(mutated(input, random));
      inputs++;
    }
  }
  for (int i = 0; i < kNoiseInputs; i++) {
    Input noise(random.below(kNoiseSizeMax));
    random.fill(noise);
    run(noise);
  }
  std::printf("%d inputs with %d mutations each, %d of noise\n", inputs, kMutationsPerInput, kNoiseInputs);
  return 0;
}
