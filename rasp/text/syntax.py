"""The syntax tree: what was written, before it means anything.

In: built by the parser. Out: nodes with spans, read by `elaborate` and `lint`.
Invariant: precedence is settled, every node knows the characters it was written with, and no node is nested deeper
than the parser allows (a chain of operators leans to the left and may be long: walk its left side in a loop).
`str` prints a tree with every grouping made explicit.

    >>> from rasp.text.parser import parse_text
    >>> print(parse_text("not a == b;").statements[0])
    (((not a) == b) ;)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from rasp.text.source import Span
from rasp.value import Value


@dataclass(frozen=True, eq=False, slots=True)
class Name:
    """A variable."""

    span: Span
    name: str
    depth: ClassVar[int] = 1

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False, slots=True)
class Literal:
    """A number or a string; `text` is how it was written."""

    span: Span
    value: Value
    text: str
    depth: ClassVar[int] = 1

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """A parenthesised expression. It means what its inside means, and prints as that."""

    span: Span
    inner: Expression
    depth: int

    def __str__(self) -> str:
        return str(self.inner)


@dataclass(frozen=True, eq=False, slots=True)
class Unary:
    """`not`, `-`, `+`."""

    span: Span
    op: str
    arg: Expression
    depth: int

    def __str__(self) -> str:
        return f"({self.op} {self.arg})"


@dataclass(frozen=True, eq=False, slots=True)
class Binary:
    """Arithmetic, comparisons, `and`, `or`, `in`."""

    span: Span
    op: str
    left: Expression
    right: Expression
    depth: int

    def __str__(self) -> str:
        return _spine(self)


@dataclass(frozen=True, eq=False, slots=True)
class Ternary:
    """`left if condition else right`."""

    span: Span
    left: Expression
    condition: Expression
    right: Expression
    depth: int

    def __str__(self) -> str:
        return _spine(self)


@dataclass(frozen=True, eq=False, slots=True)
class Index:
    """`left[index]`."""

    span: Span
    left: Expression
    index: Expression
    depth: int

    def __str__(self) -> str:
        return _spine(self)


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """`left(args)`: a function called, or an s-op or selector applied to an input."""

    span: Span
    left: Expression
    args: tuple[Expression, ...]
    depth: int

    def __str__(self) -> str:
        return _spine(self)


@dataclass(frozen=True, eq=False, slots=True)
class Builtin:
    """The forms that read like a call: `aggregate range zip len round indicator`."""

    span: Span
    name: str
    args: tuple[Expression, ...]
    depth: int

    def __str__(self) -> str:
        match self.name:
            case "round" | "indicator":
                return f"({self.name} ( {_listed(self.args)} ))"
            case "aggregate":
                return f"(aggregate( {' , '.join(map(str, self.args))} ))"
            case _:
                return f"({self.name}( {_listed(self.args)} ))"


@dataclass(frozen=True, eq=False, slots=True)
class SelectForm:
    """`select(key, query, predicate)`."""

    span: Span
    key: Expression
    query: Expression
    predicate: str
    depth: int

    def __str__(self) -> str:
        return f"(select( {self.key} , {self.query} , {self.predicate} ))"


@dataclass(frozen=True, eq=False, slots=True)
class ListForm:
    """`[a, b]`."""

    span: Span
    items: tuple[Expression, ...]
    depth: int

    def __str__(self) -> str:
        return f"([ {_listed(self.items)} ])" if self.items else "([ ])"


@dataclass(frozen=True, eq=False, slots=True)
class DictForm:
    """`{a: b}`."""

    span: Span
    items: tuple[tuple[Expression, Expression], ...]
    depth: int

    def __str__(self) -> str:
        pairs = [f"({key} : {value})" for key, value in self.items]
        return f"({{ {_paired(pairs)} }})" if pairs else "({ })"


@dataclass(frozen=True, eq=False, slots=True)
class Comprehension:
    """`[item for names in iterable]`; a dictionary's when `key` is there."""

    span: Span
    key: Expression | None
    item: Expression
    names: tuple[Name, ...]
    iterable: Expression
    depth: int

    def __str__(self) -> str:
        loop = f"for {_listed(self.names)} in {self.iterable}"
        return f"([ {self.item} {loop} ])" if self.key is None else f"({{ {self.key} : {self.item} {loop} }})"


Expression: TypeAlias = (
    Name
    | Literal
    | Group
    | Unary
    | Binary
    | Ternary
    | Index
    | Call
    | Builtin
    | SelectForm
    | ListForm
    | DictForm
    | Comprehension
)


@dataclass(frozen=True, eq=False, slots=True)
class Evaluate:
    """`expression;`"""

    span: Span
    expression: Expression

    def __str__(self) -> str:
        return f"({self.expression} ;)"


@dataclass(frozen=True, eq=False, slots=True)
class Assign:
    """`a, b = x, y;`"""

    span: Span
    targets: tuple[Name, ...]
    values: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"(({_listed(self.targets)} = {_listed(self.values)}) ;)"


@dataclass(frozen=True, eq=False, slots=True)
class Return:
    """`return a, b;`, the last statement of a function."""

    span: Span
    values: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"(return {_listed(self.values)} ;)"


@dataclass(frozen=True, eq=False, slots=True)
class Define:
    """`def name(parameters) { body return ...; }`"""

    span: Span
    name: Name
    parameters: tuple[Name, ...]
    body: tuple[Statement, ...]
    result: Return
    depth: int

    def __str__(self) -> str:
        parameters = f"{_listed(self.parameters)} " if self.parameters else ""
        body = " ".join(map(str, (*self.body, self.result)))
        return f"(def {self.name} ( {parameters}) {{ {body} }})"


@dataclass(frozen=True, eq=False, slots=True)
class For:
    """`for names in iterable { body }`"""

    span: Span
    names: tuple[Name, ...]
    iterable: Expression
    body: tuple[Statement, ...]
    depth: int

    def __str__(self) -> str:
        return f"(for {_listed(self.names)} in {self.iterable} {{ {' '.join(map(str, self.body))} }})"


@dataclass(frozen=True, eq=False, slots=True)
class Load:
    """`load "path";`"""

    span: Span
    path: Literal

    def __str__(self) -> str:
        return f"((load {self.path}) ;)"


@dataclass(frozen=True, eq=False, slots=True)
class Draw:
    """`draw(sop);` or `draw(sop, input);`"""

    span: Span
    sop: Expression
    input: Expression | None

    def __str__(self) -> str:
        extra = "" if self.input is None else f" , {self.input}"
        return f"((draw ( {self.sop}{extra} )) ;)"


@dataclass(frozen=True, eq=False, slots=True)
class Command:
    """An order to the console, not part of the language proper: `set example "abc"`, `examples off`, `exit`.

    `words` are its fixed words; `argument` is the example of a `set`.
    """

    span: Span
    words: tuple[str, ...]
    argument: Expression | None

    def __str__(self) -> str:
        text = " ".join(self.words)
        if self.words[0] in {"exit", "quit", "exit()", "quit()"}:
            return text
        return f"({text})" if self.argument is None else f"({text} {self.argument})"


Statement: TypeAlias = Evaluate | Assign | Define | For | Load | Draw | Command


@dataclass(frozen=True, eq=False, slots=True)
class Comment:
    """`# text`; the last word of a line that may stand anywhere."""

    span: Span

    def __str__(self) -> str:
        return self.span.text


@dataclass(frozen=True, eq=False)
class Module:
    """A whole text: its statements and, aside, its comments."""

    span: Span
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]

    def __str__(self) -> str:
        return "\n".join([self._with_comment(statement) for statement in self.statements])

    def _with_comment(self, statement: Statement) -> str:
        """A statement with the comment that follows it on its line."""
        behind = self.span.source.text[statement.span.end :].partition("\n")[0]
        start = statement.span.end + len(behind) - len(behind.lstrip(" \t"))
        trailing = [comment for comment in self.comments if comment.span.start == start]
        return f"({statement} {trailing[0]})" if trailing else str(statement)


def _listed(items: tuple[object, ...]) -> str:
    return _paired([str(item) for item in items])


def _paired(items: list[str]) -> str:
    """`a`, `(a , b)`, `(a , (b , c))`: a list as the grammar reads it, from the right."""
    text = items[-1]
    for item in reversed(items[:-1]):
        text = f"({item} , {text})"
    return text


def _spine(node: Expression) -> str:
    """The text of a chain that leans to the left, without recursion along it."""
    opened, parts = 0, []
    while True:
        match node:
            case Binary(op=op, left=left, right=right):
                parts.append(f" {op} {right})")
            case Ternary(left=left, condition=condition, right=right):
                parts.append(f" if {condition} else {right})")
            case Index(left=left, index=index):
                parts.append(f" [ {index} ])")
            case Call(left=left, args=args):
                parts.append(f" ( {_listed(args)} ))" if args else " ( ))")
            case _:
                return "(" * opened + str(node) + "".join(reversed(parts))
        opened += 1
        node = left
