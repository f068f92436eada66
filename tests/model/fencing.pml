/* Who may go on with a chain after its node is gone, or seems to be (docs/formats/bus.md, "Going on elsewhere", once it
 * is built): a resumer asks n-k+1 of the n auditors; each first promises not to take a lower incarnation any more. The
 * resumer takes the chain of the highest incarnation, then the longest, brings the others it asked up to it, and writes.
 * An effect is released when k auditors have acknowledged its event.
 *
 * No two effects may be released for one position of the chain. check_model.py also runs the mutants.
 */
#define N 3
#define K 2
#define LENGTH 2  /* positions of the chain */
#define WRITERS 3 /* incarnations 1 to 3; 1 is the first node */

#define NONE 0
#define NO_FENCE 1   /* an auditor takes a lower incarnation than it promised */
#define ASKS_ONE 2   /* the resumer is content with n-k answers */
#define SHORTEST 3   /* takes the first chain that it is told of */
#ifndef MUTANT
#define MUTANT NONE
#endif

#if MUTANT == ASKS_ONE
#define ASKED (N - K)
#else
#define ASKED (N - K + 1)
#endif

/* Disks: who wrote each position of the chain that the auditor holds, which incarnation its tip is of. */
typedef Chain { byte by[LENGTH]; byte length; byte tip };
Chain held[N];
byte promised[N];

byte released[LENGTH]; /* by which incarnation an effect was released */

inline copy(from, to) {
  to.by[0] = from.by[0]; to.by[1] = from.by[1]; to.length = from.length; to.tip = from.tip
}

/* The auditor's answer to an event of `me` at the end of `mine`: taken if it extends what the auditor holds. */
#define EXTENDS(a) (held[a].length == mine.length - 1 && \
                    (mine.length < 2 || held[a].by[0] == mine.by[0]))

proctype writer(byte me) {
  Chain mine, best;
  byte a, answers, acks;
  bool has[N];

  if
  :: me == 1 -> skip
  :: else ->
    /* ask in any order */
    do
    :: answers == ASKED -> break
    :: answers < ASKED ->
      atomic {
        if :: a = 0 :: a = 1 :: a = 2 fi;
        if
        :: !has[a] && promised[a] < me ->
          promised[a] = me; has[a] = true;
          if
#if MUTANT == SHORTEST
          :: answers == 0 -> copy(held[a], best)
#else
          :: answers == 0 || held[a].tip > best.tip || (held[a].tip == best.tip && held[a].length > best.length) ->
            copy(held[a], best)
#endif
          :: else
          fi;
          answers++
        :: else -> goto over  /* refused: a higher incarnation is there, or it asks the same one twice */
        fi
      }
    od;
    copy(best, mine);
    /* backfill those that were asked, one by one */
    a = 0;
    do
    :: a == N -> break
    :: a < N ->
      atomic {
        if
        :: has[a] && promised[a] == me -> copy(mine, held[a])
        :: has[a] && promised[a] != me -> goto over
        :: else
        fi;
        a++
      }
    od
  fi;

  do
  :: mine.length == LENGTH -> break
  :: mine.length < LENGTH ->
    mine.by[mine.length] = me; mine.length++; mine.tip = me;
    acks = 0; a = 0;
    do
    :: a == N -> break
    :: a < N ->
      atomic {
        if
#if MUTANT == NO_FENCE
        :: EXTENDS(a) ->
#else
        :: promised[a] <= me && EXTENDS(a) ->
#endif
          copy(mine, held[a]); acks++
        :: else
        fi;
        a++
      }
    :: a < N -> a++ /* it doesn't come there */
    od;
    if
    :: acks >= K ->
      atomic {
        assert(released[mine.length - 1] == 0 || released[mine.length - 1] == me);
        released[mine.length - 1] = me
      }
    :: else -> break /* it waits for ever */
    fi
  od;
over:
  skip
}

init {
  atomic { run writer(1); run writer(2); run writer(3) }
}
