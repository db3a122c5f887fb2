"""What `help` says.

In: a topic, or nothing. Out: text.

    >>> page("range").splitlines()[0]
    'range(end)  range(start, end)  range(start, end, step)'
"""

from __future__ import annotations

from rasp.text.source import did_you_mean

OVERVIEW = """\
statements    x = e;   x, y = e1, e2;   e;   def f(a) { return e; }   for i in list { x = e; }   load "file";
              draw(s);   draw(s, input);
s-ops         tokens tokens_int tokens_float tokens_bool tokens_asis indices length   s + 1   s if c else t   s[0]
selectors     select(key, query, ==)   and or not   aggregate(selector, s, default)   selector_width(selector)
apply         s("abc");   selector([1, 2, 3]);
example       set example "abc"    set s-op example [1, 2]    set selector example "ab"    show example
display       examples on|off    s-op examples on|off    selector examples on|off    full seq display on|off
compile NAME  the transformer an s-op becomes, for the tokens of the example and inputs up to 16 tokens;
              #@ vocab: "abc"    #@ max_length: 8    #@ attention: causal    change that
leave         exit    quit    Ctrl-D
help TOPIC    more about select aggregate selectors precedence example compile load draw range zip len round sort ...
keys          Tab completes   Enter runs what is complete, else begins a line   Ctrl-C drops the input   Up: history"""

PAGES = {
    "select": """\
select(key, query, predicate)
The selector whose row q and column k hold `key[k] predicate query[q]`; the predicate is one of == != < <= > >=.
select(indices, indices, <) sees everything before; select(tokens, tokens, ==) sees the equal tokens.""",
    "selectors": """\
A selector is a matrix of booleans: a row for each query position, a column for each key position.
Combine them with `and`, `or`, `not`; use them in aggregate(selector, s) and selector_width(selector).""",
    "aggregate": """\
aggregate(selector, s)  aggregate(selector, s, default)
At each position the mean of s over what the row selects; the one value itself if it selects one; the default (0 if
none is written) if it selects nothing. Only numbers have a mean.""",
    "example": """\
set example e    set s-op example e    set selector example e    show example
Definitions are tried on the running example as soon as they are made, and refused if they fail on it.
An example is a string, one token a character, or a list such as [3, 1, 2]; with a source (help source) it is one, or
both: set example {"source": "abc", "target": "ab"}.""",
    "compile": """\
compile NAME
The transformer that computes this s-op: its layers, heads and neurons, for the tokens of the running example and
inputs of up to 16 tokens. The lines #@ vocab: "abc", #@ max_length: 8, #@ attention: causal change that.""",
    "load": """\
load "file";
Runs file.rasp from the working folder and takes over its names, without those that begin with `_`.
load "programs/sort"; finds the programs that come with this package.""",
    "draw": """\
draw(s);  draw(s, input);
The steps from the tokens to s, layer by layer. With graphviz installed also as comp_flows/NAME.svg and .pdf.""",
    "range": """\
range(end)  range(start, end)  range(start, end, step)
A list of integers, as long as the program runs; s-ops cannot be looped over.""",
    "zip": "zip(list, list, ...)\nA list of lists: the first items, the second items, ... All have the same length.",
    "len": "len(list)\nThe number of items of a list. How long the input is says `length`, an s-op.",
    "round": "round(x)\nThe nearest integer; halves go to the even one: round(2.5) is 2.",
    "indicator": "indicator(s)\n1 where s is true, 0 elsewhere.",
    "for": """\
for x in list { statements }    [e for x in list]    {k: v for x in list}
Runs when the program is read. For loops show nothing; what they bind stays bound.""",
    "def": "def f(a, b) { statements return e; }\nA function. Its `return` stands last; `return a, b;` returns a list.",
    "if": "a if condition else b\nWith an s-op as condition both sides are computed, and chosen position by position.",
    "in": 'x in list    s in list    "a" in s\n`in` binds loosest of all: write (x in list) and y.',
    "not": "not x\nBinds tightest of all: write not (a == b).",
    "precedence": """\
tightest   s[0]  f(a)
           not x  -x  +x         not a == b is (not a) == b     -2 ^ 2 is (-2) ^ 2
           ^                     2 ^ 3 ^ 2 is (2 ^ 3) ^ 2
           * /
           %                     7 % 2 * 3 is 7 % (2 * 3)
           + -
           == != < <= > >=       0 < s < 2 is (0 < s) < 2
           and or                a or b and c is (a or b) and c
           a if c else b         a if p else b if q else c is (a if p else b) if q else c
loosest    in                    a in s and b is a in (s and b)
What stands on one level groups to the left. Parentheses help.""",
    "length": "length\nAn s-op: the number of tokens, at every position.",
    "indices": "indices\nAn s-op: the position, from 0.",
    "tokens": """\
tokens  tokens_str  tokens_int  tokens_float  tokens_bool  tokens_asis
The input, as strings unless said otherwise. `tokens` may be bound anew: tokens = tokens_int;""",
    "source": """\
source  source_int  source_float  source_bool  source_length
Where a header line such as #@ source: "abc" declares it: what an encoder reads, beside the target, `tokens`. Each s-op
stands on one of them; what the other holds is fetched: aggregate(select(indices, indices, ==), source, ".").""",
    "full_s": "full_s\nThe selector that selects everything.",
    "selector_width": "selector_width(selector)\nHow many positions each row selects.",
    "has_focus": "has_focus(selector)\nTrue where the row selects something.",
    "count": "count(s, atom)\nHow many positions of s hold this value.",
    "contains": "contains(s, atom)\nTrue everywhere if some position of s holds this value.",
    "max": "max(a, b)\nThe larger one, position by position.",
    "min": "min(a, b)\nThe smaller one, position by position.",
    "average": "average(s)\nThe mean over all positions.",
    "load_from_location": "load_from_location(s, location)\nWhat s holds at the given location, 0 if there is none.",
    "shift": "shift(s, n, filler)\nWhat s holds n positions earlier, the filler where that is outside.",
    "mark_last_instance": "mark_last_instance(s, value)\nTrue at the last position that holds the value.",
    "mark_first_instance": "mark_first_instance(s, value)\nTrue at the first position that holds the value.",
    "select_from_last": "select_from_last(s, value)\nEvery row selects the last position that holds the value.",
    "select_from_first": "select_from_first(s, value)\nEvery row selects the first position that holds the value.",
    "sort": "sort(s, key)\nThe values of s in the order of ascending keys; equal keys keep their order.",
    "select_next_identical": "select_next_identical(s)\nEvery row selects the next later position with an equal value.",
    "latest": """\
latest(key, query, value, default)
The value at the last position whose key is the query; the default where there is none.
Where the future is hidden, the last one so far: what was written last at an address, latest(address, asked, s, 0).""",
    "rightmost": "rightmost(selector)\nEvery row selects the last of the positions that the given selector selects.",
}


def page(topic: str | None) -> str:
    """The text about a topic, or the overview."""
    if topic is None:
        return OVERVIEW
    if topic in PAGES:
        return PAGES[topic]
    near = did_you_mean(topic, PAGES)
    return f"there is no help about `{topic}`" + (f": {near}" if near else "; `help` shows what there is")
