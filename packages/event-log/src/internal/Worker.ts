/**
 * One fiber that takes what waits in line, in groups, and answers each; what is left when it stops
 * is rejected. Plain callbacks rather than Queue and Deferred: an append costs little more than its
 * disk write, so every step of a fiber on the way shows.
 *
 * The line needs no limit of its own: each item in it is a fiber that waits for its answer.
 */
import { Effect, type Exit, type Scope } from "effect"

/** A request, and where its answer goes. */
export interface Waiting<Request, A, E> {
  readonly request: Request
  readonly answer: (exit: Exit.Exit<A, E>) => void
}

export interface WorkerOptions<Request, A, E> {
  readonly maxGroup: number
  /** Answers every request of a group. Not interrupted: whoever waits for an answer gets one. */
  readonly handle: (group: ReadonlyArray<Waiting<Request, A, E>>) => Effect.Effect<void>
  /** The answer to requests that come too late. */
  readonly closed: Exit.Exit<never, E>
}

/**
 * Starts the worker in the scope, and gives the way to ask it. A request that has been made is
 * carried out, even if who made it no longer waits for the answer.
 */
export const startWorker = <Request, A, E>({
  closed,
  handle,
  maxGroup
}: WorkerOptions<Request, A, E>): Effect.Effect<
  (request: Request) => Effect.Effect<A, E>,
  never,
  Scope.Scope
> =>
  Effect.gen(function* () {
    let line: Array<Waiting<Request, A, E>> = []
    let arrived: (() => void) | undefined
    let isClosed = false
    const arrival = Effect.async<void>((resume) => {
      if (line.length > 0) resume(Effect.void)
      else arrived = () => resume(Effect.void)
    })
    const takeGroup = () => {
      const group = line.slice(0, maxGroup)
      line = line.slice(maxGroup)
      return group
    }
    const turn = Effect.uninterruptibleMask((restore) =>
      // Only the waiting may be interrupted: what has been taken off the line is answered.
      Effect.flatMap(restore(arrival), () => handle(takeGroup()))
    )
    // Added first, so it runs once the fiber has stopped.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        for (const { answer } of line) answer(closed)
        line = []
      })
    )
    yield* Effect.forkScoped(Effect.forever(turn))
    return (request) =>
      Effect.async((resume) => {
        if (isClosed) return resume(closed)
        line.push({ request, answer: resume })
        arrived?.()
        arrived = undefined
      })
  })
