/**
 * From a schema's syntax tree to functions that write and read its values.
 *
 * Values are written as they are, past the schema's transformations. Where no binary form of a
 * value is known, its encoded form is written instead, by way of Schema; what the schema leaves
 * open (`unknown`) becomes JSON.
 */
import { Either, ParseResult, Schema, SchemaAST as AST } from "effect"
import type { ByteReader } from "./ByteReader.ts"
import { MalformedBytes } from "./ByteReader.ts"
import { type ByteWriter, Unwritable } from "./ByteWriter.ts"
import { container } from "./CodecContainers.ts"
import * as Leaf from "./CodecLeaves.ts"

/** How the values of one node of the tree are written and read. */
export interface Plan<A = unknown> {
  readonly write: (writer: ByteWriter, value: A) => void
  readonly read: (reader: ByteReader) => A
}

/** A plan for the values (the Type side) of a schema. */
export const compile = <A, I>(schema: Schema.Schema<A, I>): Plan<A> => {
  const { read, write } = new Compiler().start(schema.ast)
  // The plan was made from this schema, so what it reads is what was written: a value of A. The
  // type checker can't follow a syntax tree, hence the one assertion.
  return { write, read: (reader) => read(reader) as A }
}

/**
 * The members of a union of tagged structs or classes, by their `_tag`; undefined for one that has
 * none.
 */
export const taggedMembers = (
  ast: AST.AST
): ReadonlyArray<readonly [tag: string | undefined, member: AST.AST]> =>
  (AST.isUnion(ast) ? ast.types : [ast]).map((member) => {
    const tag = literalFields(member).get("_tag")
    return [typeof tag === "string" ? tag : undefined, member]
  })

/**
 * No binary form of these values is known: the nearest node above that transforms them has to
 * encode them.
 */
class NoBinaryForm extends Error {
  constructor(ast: AST.AST) {
    super(`Expected a schema with an encoded form of plain data, found ${String(ast)}.`)
  }
}

class Compiler {
  readonly #suspended = new Map<AST.AST, Plan>()

  start(ast: AST.AST): Plan {
    try {
      return this.#plan(ast)
    } catch (error) {
      // A schema that can't be encoded at all is a mistake in the program.
      throw error instanceof NoBinaryForm ? new TypeError(error.message) : error
    }
  }

  /** A plan for any node: binary if one is known, else by way of its encoded form. */
  #plan(ast: AST.AST): Plan {
    return this.#attempt(() => this.#binary(ast)) ?? this.#encoded(ast)
  }

  #encoded(ast: AST.AST): Plan {
    const encodedAst = AST.encodedAST(ast)
    const plan = encodedAst === ast ? undefined : this.#attempt(() => this.#binary(encodedAst))
    if (plan === undefined && !isPlainData(encodedAst)) throw new NoBinaryForm(ast)
    const { read, write } = plan ?? Leaf.json
    const schema = Schema.make<unknown, unknown>(ast)
    const encode = Schema.encodeSync(schema)
    const decode = Schema.decodeSync(schema)
    return {
      write: (writer, value) => write(writer, encode(value)),
      read: (reader) => decode(read(reader))
    }
  }

  #attempt(make: () => Plan): Plan | undefined {
    try {
      return make()
    } catch (error) {
      if (error instanceof NoBinaryForm) return undefined
      throw error
    }
  }

  #binary(ast: AST.AST): Plan {
    switch (ast._tag) {
      case "StringKeyword":
      case "TemplateLiteral":
        return Leaf.string
      case "NumberKeyword":
        return Leaf.number
      case "BooleanKeyword":
        return Leaf.boolean
      case "BigIntKeyword":
        return Leaf.bigint
      case "UndefinedKeyword":
      case "VoidKeyword":
        return Leaf.constant(undefined)
      case "Literal":
        return Leaf.constant(ast.literal)
      case "NeverKeyword":
        return Leaf.never
      case "UnknownKeyword":
      case "AnyKeyword":
      case "ObjectKeyword":
        return Leaf.json
      case "Enums":
        return Leaf.oneOf(ast.enums.map(([, value]) => value))
      case "Refinement":
        return Leaf.refined(ast) ?? this.#binary(ast.from)
      case "Transformation":
        return this.#transformation(ast)
      case "Declaration":
        return this.#declaration(ast)
      case "TupleType":
        return this.#tuple(ast)
      case "TypeLiteral":
        return this.#struct(ast)
      case "Union":
        return this.#union(ast)
      case "Suspend":
        return this.#suspend(ast)
      default:
        throw new NoBinaryForm(ast)
    }
  }

  #transformation(ast: AST.Transformation): Plan {
    const construct = classConstructor(ast)
    // Values stand on the far side of a transformation: what it does to reach them need not be
    // done.
    if (construct === undefined) return this.#binary(ast.to)
    const { from } = ast
    if (AST.isTypeLiteral(from) && from.indexSignatures.length === 0) {
      const fields = this.#fields(from)
      if (fields.every(({ isOptional }) => !isOptional)) return instance(fields, construct)
    }
    const fields = this.#binary(from)
    return { write: fields.write, read: (reader) => construct(fields.read(reader)) }
  }

  #declaration(ast: AST.Declaration): Plan {
    const plan = container(ast, (parameter) => this.#plan(parameter))
    if (plan === undefined) throw new NoBinaryForm(ast)
    return plan
  }

  #tuple(ast: AST.TupleType): Plan {
    const [rest, ...further] = ast.rest
    if (further.length > 0 || ast.elements.some(({ isOptional }) => isOptional))
      throw new NoBinaryForm(ast)
    const elements = ast.elements.map(({ type }) => this.#plan(type))
    return Leaf.list(elements, rest === undefined ? undefined : this.#plan(rest.type))
  }

  #struct(ast: AST.TypeLiteral): Plan {
    const [index, ...further] = ast.indexSignatures
    const isKeyed = index === undefined || AST.isStringKeyword(index.parameter)
    if (further.length > 0 || !isKeyed) throw new NoBinaryForm(ast)
    const fields = this.#fields(ast)
    if (fields.length === 0 && index === undefined) throw new NoBinaryForm(ast)
    return Leaf.struct(fields, index === undefined ? undefined : this.#plan(index.type))
  }

  #fields(ast: AST.TypeLiteral): ReadonlyArray<Leaf.Field> {
    return ast.propertySignatures.map(({ isOptional, name, type }) => {
      if (typeof name !== "string") throw new NoBinaryForm(ast)
      return { name, isOptional, plan: this.#plan(type) }
    })
  }

  #union(ast: AST.Union): Plan {
    const literals = ast.types.map((member) => (AST.isLiteral(member) ? member.literal : undefined))
    if (!literals.includes(undefined)) return Leaf.oneOf(literals)
    const plans = ast.types.map((member) => this.#plan(member))
    return Leaf.union(plans, discriminator(ast.types) ?? firstThatAccepts(ast.types))
  }

  #suspend(ast: AST.Suspend): Plan {
    const node = ast.f()
    const known = this.#suspended.get(node)
    if (known !== undefined) return known
    let plan: Plan | undefined
    const late: Plan = {
      write: (writer, value) => plan?.write(writer, value),
      read: (reader) => plan?.read(reader)
    }
    this.#suspended.set(node, late)
    plan = this.#plan(node)
    return late
  }
}

/**
 * Instances of a class. A class's own constructor copies the fields several times over; where the
 * first instance shows that it does nothing but that, further ones are made by giving the fields
 * the class's prototype.
 */
const instance = (
  fields: ReadonlyArray<Leaf.Field>,
  construct: (fields: unknown) => unknown
): Plan => {
  let prototype: object | null = null
  let isKnown = false
  const plan = Leaf.struct(fields, undefined, () =>
    prototype === null ? {} : Object.create(prototype)
  )
  return {
    write: plan.write,
    read: (reader) => {
      const value = plan.read(reader)
      if (prototype !== null) return value
      const made = construct(value)
      if (!isKnown) {
        isKnown = true
        if (hasOnly(made, fields)) prototype = Object.getPrototypeOf(made)
      }
      return made
    }
  }
}

const hasOnly = (value: unknown, fields: ReadonlyArray<Leaf.Field>): value is object =>
  typeof value === "object" &&
  value !== null &&
  Reflect.ownKeys(value).length === fields.length &&
  fields.every(({ name }) => Object.hasOwn(value, name))

/** How an instance is made of its fields, if the node is a Schema.Class. */
const classConstructor = (ast: AST.Transformation): ((fields: unknown) => unknown) | undefined => {
  const { to, transformation } = ast
  const isClass = AST.isDeclaration(to) && Object.hasOwn(to.annotations, AST.SurrogateAnnotationId)
  if (!isClass || transformation._tag !== "FinalTransformation") return undefined
  return (fields) => {
    const made = transformation.decode(fields, {}, ast, fields)
    if (Either.isEither(made) && Either.isRight(made)) return made.right
    throw new MalformedBytes(`the fields of ${String(to)}`, 0)
  }
}

/** Finds a union's member by a property that has another literal in every member, as `_tag` has. */
const discriminator = (
  members: ReadonlyArray<AST.AST>
): ((value: unknown) => number) | undefined => {
  const [first, ...others] = members.map(literalFields)
  if (first === undefined) return undefined
  for (const name of first.keys()) {
    const literals = [first, ...others].map((fields) => fields.get(name))
    if (literals.includes(undefined) || new Set(literals).size < literals.length) continue
    const indexOf = new Map<unknown, number>(literals.map((literal, index) => [literal, index]))
    return (value) =>
      (typeof value === "object" && value !== null && name in value
        ? indexOf.get(Reflect.get(value, name))
        : undefined) ?? noMember(value)
  }
  return undefined
}

const literalFields = (ast: AST.AST): ReadonlyMap<string, AST.LiteralValue> => {
  const fields = new Map<string, AST.LiteralValue>()
  const node = fieldsNode(ast)
  if (node === undefined) return fields
  for (const { isOptional, name, type } of node.propertySignatures) {
    const literal = literalOf(type)
    if (typeof name === "string" && !isOptional && literal !== undefined) fields.set(name, literal)
  }
  return fields
}

const literalOf = (ast: AST.AST): AST.LiteralValue | undefined =>
  AST.isTransformation(ast) ? literalOf(ast.to) : AST.isLiteral(ast) ? ast.literal : undefined

/** The struct of the values of a node, if they have one. */
const fieldsNode = (ast: AST.AST): AST.TypeLiteral | undefined => {
  if (AST.isTypeLiteral(ast)) return ast
  if (AST.isRefinement(ast)) return fieldsNode(ast.from)
  if (AST.isTransformation(ast))
    return fieldsNode(classConstructor(ast) === undefined ? ast.to : ast.from)
  return undefined
}

const firstThatAccepts = (members: ReadonlyArray<AST.AST>): ((value: unknown) => number) => {
  const accepts = members.map((member) => ParseResult.is(Schema.make(AST.typeAST(member))))
  return (value) => {
    const index = accepts.findIndex((is) => is(value))
    return index === -1 ? noMember(value) : index
  }
}

const noMember = (value: unknown): never => {
  throw new Unwritable("a member of the union", value)
}

/** Whether JSON can hold every value of a node that has no transformations left in it. */
const isPlainData = (ast: AST.AST): boolean => {
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
    case "NumberKeyword":
    case "BooleanKeyword":
    case "Enums":
      return true
    case "Literal":
      return typeof ast.literal !== "bigint"
    case "Refinement":
      return isPlainData(ast.from)
    case "Union":
      return ast.types.every(isPlainData)
    case "TupleType":
      return [...ast.elements, ...ast.rest].every(({ type }) => isPlainData(type))
    case "TypeLiteral":
      return (
        ast.propertySignatures.every(
          ({ name, type }) => typeof name === "string" && isPlainData(type)
        ) &&
        ast.indexSignatures.every(
          ({ parameter, type }) => isPlainData(parameter) && isPlainData(type)
        )
      )
    default:
      return false
  }
}
