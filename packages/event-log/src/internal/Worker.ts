/**
 * One fiber that takes what waits in line, in groups, and answers each; what is left when it stops
 * is rejected.
 */
import { type Chunk, Effect, Queue, type Scope } from "effect"

export interface WorkerOptions<Item> {
  /** Items that may wait; who brings a further one waits for room. */
  readonly capacity: number
  readonly maxGroup: number
  /** Answers every item of a group. Not interrupted: whoever waits for an answer gets one. */
  readonly handle: (group: Chunk.Chunk<Item>) => Effect.Effect<void>
  readonly reject: (item: Item) => Effect.Effect<unknown>
}

/** Starts the worker in the scope, and gives the way to bring it an item. */
export const startWorker = <Item>(
  options: WorkerOptions<Item>
): Effect.Effect<(item: Item) => Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { capacity, handle, maxGroup, reject } = options
    const queue = yield* Queue.bounded<Item>(capacity)
    let isClosed = false
    const turn = Effect.uninterruptibleMask((restore) =>
      // Only the waiting may be interrupted: what has been taken off the queue is answered.
      Effect.flatMap(restore(Queue.takeBetween(queue, 1, maxGroup)), handle)
    )
    // Added first, so it runs once the fiber has stopped.
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        isClosed = true
        for (let left = yield* Queue.takeAll(queue); left.length > 0; ) {
          yield* Effect.forEach(left, reject, { discard: true })
          left = yield* Queue.takeAll(queue)
        }
      })
    )
    yield* Effect.forkScoped(Effect.forever(turn))
    return (item) =>
      Effect.suspend(() => (isClosed ? Effect.asVoid(reject(item)) : Queue.offer(queue, item)))
  })
