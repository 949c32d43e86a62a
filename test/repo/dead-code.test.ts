// Nothing is declared that nobody uses: every export is imported somewhere (a type may also stand in its own file's
// signatures), every method and field of a class or interface is read somewhere. Works on syntax alone, so that it
// takes a second: imports are followed from file to file; members are matched by name, so a dead one whose name also
// lives elsewhere is not found.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['agent', 'bench', 'bin', 'cli', 'controller', 'relay', 'scripts', 'shared', 'sim', 'test'];
const SKIPPED = /(^|\/)(node_modules|build|dist)$/;

/** Files whose exports are for programs outside this repository; Node calls the loader hook. */
const PUBLIC_API: ReadonlySet<string> = new Set(['controller/index.ts', 'test/fixtures/typescript-hooks.mjs']);

interface Export {
  readonly name: string;
  readonly declaration: ts.Node;
}
/** An import, or a re-export under the name `as`; `name` is `*` for a whole module. */
interface Import {
  readonly from: string;
  readonly name: string;
  readonly as?: string;
}
interface Module {
  readonly path: string;
  readonly exports: readonly Export[];
  readonly imports: readonly Import[];
  readonly identifiers: ReadonlyMap<string, readonly ts.Node[]>;
  readonly members: readonly ts.Node[];
  /** Names read as members, also in templates of generated code, and all string literals. */
  readonly reads: ReadonlySet<string>;
  /** Names assigned as members. */
  readonly writes: ReadonlySet<string>;
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.test(path) ? [] : sources(path);
    return /\.(ts|mts|mjs)$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** The path a relative module name means, from the root; undefined for packages. */
function resolve(importer: string, name: string): string | undefined {
  if (!name.startsWith('.')) return undefined;
  return relative(ROOT, join(ROOT, dirname(importer), name));
}

function isExported(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function exportsOf(statement: ts.Statement): Export[] {
  if (!isExported(statement)) return [];
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations
      .filter(({ name }) => ts.isIdentifier(name))
      .map((declaration) => ({ name: (declaration.name as ts.Identifier).text, declaration }));
  }
  const { name } = statement as ts.DeclarationStatement;
  return name === undefined ? [] : [{ name: name.text, declaration: statement }];
}

function importsOf(path: string, node: ts.Node): Import[] {
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments;
    const from = argument !== undefined && ts.isStringLiteral(argument) ? resolve(path, argument.text) : undefined;
    return from === undefined ? [] : [{ from, name: '*' }];
  }
  if (ts.isImportTypeNode(node)) {
    const literal = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
    const from = literal !== undefined && ts.isStringLiteral(literal) ? resolve(path, literal.text) : undefined;
    return from === undefined ? [] : [{ from, name: '*' }];
  }
  if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return [];
  if (node.moduleSpecifier === undefined) return [];
  const from = resolve(path, (node.moduleSpecifier as ts.StringLiteral).text);
  if (from === undefined) return [];
  if (ts.isExportDeclaration(node)) return reexports(node, from);
  const bindings = node.importClause?.namedBindings;
  if (bindings === undefined || ts.isNamespaceImport(bindings)) return [{ from, name: '*' }];
  return bindings.elements.map(({ propertyName, name }) => ({ from, name: (propertyName ?? name).text }));
}

function reexports({ exportClause }: ts.ExportDeclaration, from: string): Import[] {
  if (exportClause === undefined || ts.isNamespaceExport(exportClause)) return [{ from, name: '*', as: '*' }];
  return exportClause.elements.map(({ propertyName, name }) => ({
    from,
    name: (propertyName ?? name).text,
    as: name.text,
  }));
}

/** The name a node reads as a member of something, if any. */
function memberRead(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return isAssigned(node) ? undefined : node.name.text;
  if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
    const name = node.propertyName ?? node.name;
    return ts.isIdentifier(name) || ts.isStringLiteral(name) ? name.text : undefined;
  }
  return ts.isStringLiteralLike(node) ? node.text : undefined;
}

function isAssigned(node: ts.Node): boolean {
  const { parent } = node;
  return (
    ts.isBinaryExpression(parent) && parent.left === node && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken
  );
}

function isMember(node: ts.Node): boolean {
  if (ts.isMethodDeclaration(node) || ts.isAccessor(node) || ts.isPropertyDeclaration(node)) {
    return ts.isClassLike(node.parent) && ts.isIdentifier(node.name);
  }
  if (ts.isMethodSignature(node)) return ts.isIdentifier(node.name);
  return ts.isPropertySignature(node) && ts.isIdentifier(node.name) && isFunctionType(node.type);
}

function isFunctionType(type: ts.TypeNode | undefined): boolean {
  if (type === undefined) return false;
  if (ts.isParenthesizedTypeNode(type)) return isFunctionType(type.type);
  return ts.isFunctionTypeNode(type) || (ts.isUnionTypeNode(type) && type.types.some(isFunctionType));
}

function readModule(path: string): Module {
  const source = ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.ESNext, true);
  const identifiers = new Map<string, ts.Node[]>();
  const imports: Import[] = [];
  const members: ts.Node[] = [];
  const reads = new Set<string>();
  const writes = new Set<string>();
  walk(source, (node) => {
    if (ts.isIdentifier(node)) identifiers.set(node.text, [...(identifiers.get(node.text) ?? []), node]);
    imports.push(...importsOf(path, node));
    if (isMember(node)) members.push(node);
    if (ts.isPropertyAccessExpression(node) && isAssigned(node)) writes.add(node.name.text);
    if (ts.isTemplateLiteralToken(node)) for (const [, name] of node.text.matchAll(/\.(\w+)/g)) reads.add(name!);
    const read = memberRead(node);
    if (read !== undefined) reads.add(read);
  });
  return { path, exports: source.statements.flatMap(exportsOf), imports, identifiers, members, reads, writes };
}

const modules = FOLDERS.flatMap(sources).map(readModule);
/** Who imports or re-exports something of a file. */
const importers = new Map<string, (Import & { readonly by: Module })[]>();
for (const module of modules) {
  for (const one of module.imports) {
    importers.set(one.from, [...(importers.get(one.from) ?? []), { ...one, by: module }]);
  }
}

function isType({ declaration }: Export): boolean {
  return ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration);
}

function usedInside({ identifiers }: Module, { name, declaration }: Export): boolean {
  return identifiers.get(name)!.some((node) => node.pos < declaration.pos || node.end > declaration.end);
}

function usedOutside(path: string, name: string): boolean {
  if (PUBLIC_API.has(path) || path.endsWith('.d.mts')) return true;
  return (importers.get(path) ?? []).some((one) => {
    if (one.name !== '*' && one.name !== name) return false;
    if (one.as !== undefined) return usedOutside(one.by.path, one.as === '*' ? name : one.as);
    return one.name === name || one.by.identifiers.has(name);
  });
}

function lineOf(path: string, node: ts.Node): string {
  const source = node.getSourceFile();
  return `${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

describe('dead code', () => {
  it('every export is used by somebody, every value of another file', () => {
    const dead = modules.flatMap((module) =>
      module.exports
        .filter((one) => !(isType(one) && usedInside(module, one)) && !usedOutside(module.path, one.name))
        .map(({ name, declaration }) => `${lineOf(module.path, declaration)} ${name}`),
    );
    assert.deepEqual(dead, []);
  });

  it('every member of a class, and every function of an interface, is used by somebody', () => {
    const read = new Set(modules.flatMap(({ reads }) => [...reads]));
    const written = new Set(modules.flatMap(({ writes }) => [...writes]));
    const isUsed = (node: ts.Node, name: string): boolean =>
      read.has(name) || (ts.isAccessor(node) && written.has(name));
    const dead = modules.flatMap(({ path, members }) =>
      members
        .map((node) => ({ node, name: ((node as ts.NamedDeclaration).name as ts.Identifier).text }))
        .filter(({ node, name }) => !isUsed(node, name))
        .map(({ node, name }) => `${lineOf(path, node)} ${name}`),
    );
    assert.deepEqual(dead, []);
  });
});
