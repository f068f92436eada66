// Publishes events into a JetStream stream on a file store and says how many a second were acknowledged. The clock
// stops when every message has its ack and the stream says that it holds them all. bench/peers/jetstream.py builds and
// runs it.
//
// usage: jetstream_publish URL EVENTS EVENT_BYTES EVENTS_PER_MESSAGE MAX_PENDING
#include <nats/nats.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *kStream = "EVENTS";
static const char *kSubject = "events";

static void check(natsStatus status, const char *what) {
  if (status == NATS_OK) return;
  fprintf(stderr, "jetstream_publish: %s: %s\n", what, natsStatus_GetText(status));
  nats_PrintLastErrorStack(stderr);
  exit(1);
}

// Any message that isn't acknowledged makes the figure void.
static void on_error(jsCtx *js, jsPubAckErr *error, void *closure) {
  (void)js;
  (void)closure;
  fprintf(stderr, "jetstream_publish: a message was not acknowledged: %s\n",
          error->ErrText != NULL ? error->ErrText : natsStatus_GetText(error->Err));
  exit(1);
}

static int64_t positive(const char *text) {
  char *end = NULL;
  const long long value = strtoll(text, &end, 10);
  if (end == text || *end != '\0' || value <= 0 || value > INT32_MAX) {
    fprintf(stderr, "jetstream_publish: \"%s\" is no positive number\n", text);
    exit(2);
  }
  return value;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: jetstream_publish URL EVENTS EVENT_BYTES EVENTS_PER_MESSAGE MAX_PENDING\n");
    return 2;
  }
  const int64_t events = positive(argv[2]), event_bytes = positive(argv[3]), per_message = positive(argv[4]);
  const int64_t max_pending = positive(argv[5]);
  if (events % per_message != 0) {
    fprintf(stderr, "jetstream_publish: EVENTS must be a multiple of EVENTS_PER_MESSAGE\n");
    return 2;
  }
  const int64_t messages = events / per_message;
  const size_t message_bytes = (size_t)(event_bytes * per_message);
  char *message = malloc(message_bytes);
  if (message == NULL) return 1;
  memset(message, 'x', message_bytes);

  natsConnection *connection = NULL;
  jsCtx *js = NULL;
  jsOptions options;
  check(natsConnection_ConnectTo(&connection, argv[1]), "connecting");
  check(jsOptions_Init(&options), "options");
  options.PublishAsync.MaxPending = max_pending;
  options.PublishAsync.StallWait = 60000;
  options.PublishAsync.ErrHandler = on_error;
  check(natsConnection_JetStream(&js, connection, &options), "JetStream");

  jsStreamConfig config;
  const char *subjects[] = {kSubject};
  check(jsStreamConfig_Init(&config), "stream");
  config.Name = kStream;
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  check(js_AddStream(NULL, js, &config, NULL, NULL), "adding the stream");

  jsPubOptions wait;
  check(jsPubOptions_Init(&wait), "publish options");
  wait.MaxWait = 120000;
  const int64_t begin = now_ns();
  for (int64_t i = 0; i < messages; ++i) {
    memcpy(message, &i, sizeof i < message_bytes ? sizeof i : message_bytes);  // no two messages are the same
    check(js_PublishAsync(js, kSubject, message, (int)message_bytes, NULL), "publishing");
  }
  check(js_PublishAsyncComplete(js, &wait), "waiting for the acks");
  const int64_t end = now_ns();

  jsStreamInfo *info = NULL;
  check(js_GetStreamInfo(&info, js, kStream, NULL, NULL), "asking what the stream holds");
  if (info->State.Msgs != (uint64_t)messages || info->Config->Storage != js_FileStorage) {
    fprintf(stderr, "jetstream_publish: the stream holds %llu of %lld messages\n", (unsigned long long)info->State.Msgs,
            (long long)messages);
    return 1;
  }
  printf("%.0f\n", (double)events * 1e9 / (double)(end - begin));
  jsStreamInfo_Destroy(info);
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  nats_Close();
  free(message);
  return 0;
}
