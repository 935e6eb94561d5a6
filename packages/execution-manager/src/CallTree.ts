/** The frames of one run as a tree, the way `callTracer` users know it. */
import type { FrameEnd, FrameStart, Operation, Tracer } from "./Tracer.ts"

export interface CallNode extends FrameStart {
  readonly end: FrameEnd | undefined
  readonly operations: ReadonlyArray<Operation>
  readonly calls: ReadonlyArray<CallNode>
}

interface Growing extends FrameStart {
  end: FrameEnd | undefined
  readonly operations: Array<Operation>
  readonly calls: Array<Growing>
}

export interface CallTree {
  readonly tracer: Tracer
  /** The outermost frame, once it has begun. */
  readonly root: () => CallNode | undefined
}

/** A tracer that grows a tree. One for each run. */
export const make = (): CallTree => {
  const open: Array<Growing> = []
  let root: Growing | undefined
  return {
    root: () => root,
    tracer: {
      onFrameStart: (frame) => {
        const node: Growing = { ...frame, end: undefined, operations: [], calls: [] }
        open.at(-1)?.calls.push(node)
        root ??= node
        open.push(node)
      },
      onFrameEnd: (end) => {
        const node = open.pop()
        if (node !== undefined) node.end = end
      },
      onOperation: (operation) => {
        open.at(-1)?.operations.push(operation)
      }
    }
  }
}
