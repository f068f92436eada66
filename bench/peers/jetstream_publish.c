// Publishes events of a fixed size into a JetStream stream, several as one message if asked to, and waits until the
// server has acknowledged each message. Prints events a second, from the first publish to the last acknowledgement.
//
//   jetstream_publish URL STREAM EVENTS EVENT_BYTES EVENTS_A_MESSAGE IN_FLIGHT_MAX
//
// Publishing is asynchronous: at most IN_FLIGHT_MAX messages wait for their acknowledgement.
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(natsStatus status, const char *doing) {
  if (status == NATS_OK) return;
  fprintf(stderr, "jetstream_publish: %s: %s\n", doing, natsStatus_GetText(status));
  exit(1);
}

static void failed(jsCtx *js, jsPubAckErr *error, void *closure) {
  (void)js;
  (void)closure;
  fprintf(stderr, "jetstream_publish: a message was not acknowledged: %s\n", error->ErrText);
  exit(1);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "jetstream_publish URL STREAM EVENTS EVENT_BYTES EVENTS_A_MESSAGE IN_FLIGHT_MAX\n");
    return 2;
  }
  const char *stream = argv[2];
  const long events = atol(argv[3]), event_bytes = atol(argv[4]), batch = atol(argv[5]), in_flight = atol(argv[6]);
  if (events < 1 || event_bytes < 1 || batch < 1 || in_flight < 1 || events % batch != 0) {
    fprintf(stderr, "jetstream_publish: the numbers are positive, and EVENTS a multiple of EVENTS_A_MESSAGE\n");
    return 2;
  }

  natsConnection *connection = NULL;
  jsCtx *js = NULL;
  check(natsConnection_ConnectTo(&connection, argv[1]), "connecting");
  jsOptions options;
  check(jsOptions_Init(&options), "options");
  options.PublishAsync.MaxPending = in_flight;
  options.PublishAsync.ErrHandler = failed;
  check(natsConnection_JetStream(&js, connection, &options), "JetStream");

  jsStreamConfig config;
  check(jsStreamConfig_Init(&config), "configuration");
  const char *subjects[] = {stream};
  config.Name = stream;
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  check(js_AddStream(NULL, js, &config, NULL, NULL), "making the stream");

  const size_t message_bytes = (size_t)(event_bytes * batch);
  char *message = malloc(message_bytes);
  if (message == NULL) return 1;
  // Bytes without a pattern, so that no compression could help.
  srand(1);
  for (size_t i = 0; i < message_bytes; i++) message[i] = (char)rand();

  const long messages = events / batch;
  const double begin_s = now_s();
  for (long i = 0; i < messages; i++) {
    memcpy(message, &i, sizeof i < message_bytes ? sizeof i : message_bytes);
    check(js_PublishAsync(js, stream, message, (int)message_bytes, NULL), "publishing");
  }
  jsPubOptions waiting;
  check(jsPubOptions_Init(&waiting), "options");
  waiting.MaxWait = 600000;
  check(js_PublishAsyncComplete(js, &waiting), "waiting for acknowledgements");
  const double took_s = now_s() - begin_s;

  jsStreamInfo *info = NULL;
  check(js_GetStreamInfo(&info, js, stream, NULL, NULL), "asking for the stream");
  if (info->State.Msgs != (uint64_t)messages) {
    fprintf(stderr, "jetstream_publish: the stream holds %llu messages, not %ld\n",
            (unsigned long long)info->State.Msgs, messages);
    return 1;
  }
  jsStreamInfo_Destroy(info);
  printf("%.0f\n", (double)events / took_s);

  free(message);
  js_DeleteStream(js, stream, NULL, NULL);
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  nats_Close();
  return 0;
}
