/* One link between a node and an auditor: credit and window, acknowledgement of what is durable, resume and going back
 * (docs/formats/bus.md), while messages get lost, the auditor is killed, and the node connects anew at any step.
 *
 * check_model.py runs it: no assertion may fail, and in the end everything is durable. With MUTANT set to one of the
 * others, something must.
 *
 * Frames are their sequence numbers. What the network delivers comes in order but with holes, and what was sent before a
 * reconnect may still come after it.
 */
#define FRAMES 3  /* of the stream */
#define WINDOW 2  /* frames that the node may hold */
#define LOSSES 2
#define KILLS 1

#define NONE 0
#define ACK_BEFORE_SYNC 1
#define RESUME_FROM_RECEIVED 2
#define WINDOW_RESET_ON_RECONNECT 3
#define NO_GOING_BACK 4
#ifndef MUTANT
#define MUTANT NONE
#endif

mtype = { HELLO, WELCOME, ACK, NACK };

chan data = [2] of { byte };                   /* PUSH to PULL */
chan asked = [1] of { mtype };                 /* DEALER to ROUTER */
chan told = [2] of { mtype, byte, byte };      /* and back: kind, expected, durable */

/* the node's memory: what it holds is held+1 to emitted */
byte emitted, held, sent, acked;
bool open;

/* the auditor's memory, and its disk */
byte accepted, durable;
byte stored[FRAMES + 1];

byte losses, kills;

#define SAFE (acked <= durable && held <= durable && durable <= accepted && accepted <= emitted)
#define DONE (durable == FRAMES && acked == FRAMES)
#define TELL(kind, expected, mark) if :: nfull(told) -> told!kind(expected, mark) :: full(told) -> skip fi

active proctype producer() {
  do
  :: atomic { emitted < FRAMES && emitted - held < WINDOW -> emitted++ }
  :: emitted == FRAMES -> break
  od
}

active proctype sender() {
end:
  do
  :: atomic { open && sent < emitted && nfull(data) -> sent++; data!sent }
  od
}

/* Again and again: a node that hears nothing cannot know whether it is connected. */
active proctype greeter() {
end:
  do
  :: atomic { !DONE && empty(asked) ->
       asked!HELLO;
#if MUTANT == WINDOW_RESET_ON_RECONNECT
       held = emitted; sent = emitted;
#endif
     }
  od
}

active proctype listener() {
  byte expected, mark;
end:
  do
  :: atomic { told?WELCOME(expected, mark) ->
       open = true;
       if :: mark > acked -> acked = mark; held = mark :: else fi;
       /* an old WELCOME may ask for what is durable, and held no more */
       sent = (expected > held -> expected - 1 : held);
#if MUTANT == NO_GOING_BACK
       sent = emitted;
#endif
       assert(SAFE)
     }
  :: atomic { told?ACK(expected, mark) ->
       if :: mark > acked -> acked = mark; held = mark :: else fi;
       if :: sent < held -> sent = held :: else fi;
       assert(SAFE)
     }
  :: atomic { told?NACK(expected, mark) ->
#if MUTANT != NO_GOING_BACK
       if :: expected > held && expected <= sent -> sent = expected - 1 :: else fi;
#endif
       skip
     }
  od
}

active proctype intake() {
  byte frame;
end:
  do
  :: atomic { data?frame ->
       if
       :: frame == accepted + 1 -> accepted++
       :: frame > accepted + 1 -> TELL(NACK, accepted + 1, durable)
       :: else
       fi
     }
#if MUTANT == ACK_BEFORE_SYNC
  :: atomic { accepted > acked && empty(told) -> TELL(ACK, accepted + 1, accepted) }
#endif
  od
}

active proctype doorkeeper() {
end:
  do
  :: atomic { asked?HELLO ->
#if MUTANT == RESUME_FROM_RECEIVED
       TELL(WELCOME, accepted + 1, accepted)
#else
       TELL(WELCOME, accepted + 1, durable)
#endif
     }
  od
}

/* One batch at a time; what is acknowledged is repeated. */
active proctype disk() {
end:
  do
  :: atomic { durable < accepted ->
       do
       :: durable < accepted -> durable++; stored[durable]++; assert(stored[durable] == 1)
       :: else -> break
       od
     }
  :: atomic { durable > acked && empty(told) -> told!ACK(accepted + 1, durable) }
  od
}

active proctype faults() {
  byte dropped;
end:
  do
  :: atomic { losses < LOSSES && nempty(data) -> data?dropped; losses++ }
  :: atomic { losses < LOSSES && nempty(told) -> told?_, _, _; losses++ }
  :: atomic { losses < LOSSES && nempty(asked) -> asked?_; losses++ }
  :: atomic { kills < KILLS -> accepted = durable; kills++; assert(SAFE) }
  od
}

ltl everything_becomes_durable { <> DONE }
