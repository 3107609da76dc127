"""Hostile documents: cheap to send and meant to be expensive for a server. Each docstring says what they contain."""

from __future__ import annotations

from collections.abc import Callable


def _join(number: int, text: Callable[[int], str]) -> str:
    return " ".join(text(place) for place in range(number))


def _inbox(selection: str) -> str:
    return f"{{ conversations {{ nodes {{ {selection} }} }} }}"


def _chain(number: int, type_: str, text: Callable[[str], str]) -> str:
    """An operation with a chain of fragments, each used in the one before it."""
    links = _join(number, lambda place: f"fragment F{place} on {type_} {{ {text(f'...F{place + 1}')} }}")
    return f"{_inbox('...F0')} {links} fragment F{number} on {type_} {{ id }}"


def doubled_fragments() -> str:
    """2**60 fields if the fragments are expanded."""
    return _chain(60, "Conversation", lambda spread: f"{spread} {spread}")


def doubled_fragments_under_aliases() -> str:
    """The same number of fields, all of them in the response."""
    return _chain(60, "Host", lambda spread: f"a: source {{ id }} b: user {{ id }} {spread} ... {{ {spread} }}")


def doubled_pages() -> str:
    """Nested pages, each twice under different aliases."""
    page = "bookings { nodes { conversations { nodes { %s } } } }"
    return _chain(60, "Conversation", lambda spread: f"a: {page % spread} b: {page % spread}")


def doubled_equal_pages() -> str:
    """Nested pages, each twice, which are merged."""
    page = "bookings { nodes { conversations { nodes { %s } } } }"
    return _chain(60, "Conversation", lambda spread: f"{page % spread} {page % spread}")


def circular_fragments() -> str:
    """Fragments that use each other."""
    return f"""{_inbox("...A")} fragment A on Conversation {{ ...B }} fragment B on Conversation {{ ...C ...A }}
    fragment C on Conversation {{ ...B assignee {{ id }} }}"""


def circular_fragment_in_a_field() -> str:
    """A fragment that uses itself in a field."""
    return f"{_inbox('...A')} fragment A on Conversation {{ messages {{ nodes {{ conversation {{ ...A }} }} }} }}"


def long_chain() -> str:
    """500 fragments, each used in the one before it."""
    return _chain(500, "Conversation", lambda spread: spread)


def deep_chain() -> str:
    """Two levels deeper with each of 300 fragments."""
    return _chain(300, "Conversation", lambda spread: f"messages {{ nodes {{ conversation {{ {spread} }} }} }}")


def ten_thousand_aliases() -> str:
    """A hundred aliases of a fragment with a hundred aliases."""
    return (
        f"{_inbox(_join(100, lambda place: f'a{place}: assignee {{ ...F }}'))} "
        f"fragment F on Host {{ {_join(100, lambda place: f'b{place}: id')} }}"
    )


def as_many_aliases_as_tokens() -> str:
    """1,600 aliases."""
    return _inbox(_join(1_600, lambda place: f"a{place}: id"))


def directives() -> str:
    """As many directives as tokens allow."""
    return _inbox("id @include(if: true) " * 600)


def unknown_directives() -> str:
    """5,000 unknown directives on one field."""
    return _inbox("id" + " @a" * 2_490)


def duplicate_fields() -> str:
    """2,000 equal fields."""
    return f"{{ {'conversations { totalCount } ' * 1_000} }}"


def duplicate_leaves() -> str:
    """4,900 equal leaves."""
    return f"{{ conversations {{ {'totalCount ' * 4_900} }} }}"


def duplicate_arguments() -> str:
    """Fields with equal arguments, which are merged."""
    return f"{{ {'conversations(first: 1, after: null) { totalCount } ' * 300} }}"


def merged_inline_fragments() -> str:
    """600 inline fragments with the same field."""
    return _inbox("... on Conversation { assignee { id } } " * 600)


def merged_fields_with_selections() -> str:
    """600 fields and their selections, all pairs of which must be compared."""
    return _inbox("assignee { user { name } } " * 600)


def merged_fragments() -> str:
    """400 fragments with the same field."""
    fragments = _join(400, lambda place: f"fragment F{place} on Conversation {{ assignee {{ id }} }}")
    return f"{_inbox(_join(400, lambda place: f'...F{place}'))} {fragments}"


def fragments_beside_each_other() -> str:
    """200 fragments below the same field, all pairs of which must be compared."""
    fragments = _join(200, lambda place: f"fragment F{place} on Host {{ firstname lastname user {{ id }} }}")
    return f"{_inbox(_join(200, lambda place: f'assignee {{ ...F{place} }}'))} {fragments}"


def merged_twice() -> str:
    """Fields that are merged, in fields that are merged."""
    return _inbox(f"assignee {{ {'user { id name email } ' * 8} }} " * 25)


def conflicting_fields() -> str:
    """One response key for 140 different fields."""
    return _inbox(_join(140, lambda place: f"a: messages(first: {place}) {{ totalCount }}"))


def comment_padding() -> str:
    """A comment of a quarter of a megabyte."""
    return "{ __typename } #" + "x" * 250_000


def many_comments() -> str:
    """100,000 comments, which are not counted as tokens."""
    return "{ __typename }" + "\n#" * 100_000


def commas() -> str:
    """A quarter of a megabyte of commas, which the lexer skips."""
    return "{ __typename" + "," * 250_000 + "}"


def ten_thousand_levels() -> str:
    """10,000 nested braces."""
    return "{a" * 10_000 + "}" * 10_000


def many_levels() -> str:
    """Fields nested as deeply as tokens allow."""
    return _inbox("assignee { " * 2_400 + "id" + " }" * 2_400)


def nested_inline_fragments() -> str:
    """Inline fragments, nested as deeply, without a field."""
    return _inbox("... { " * 150 + "id" + " }" * 150)


def nested_lists() -> str:
    """A list value with 10,000 levels."""
    return f"{{ node(id: {'[' * 10_000}{']' * 10_000}) {{ id }} }}"


def nested_objects() -> str:
    """An object value with 1,600 levels."""
    return f"{{ conversations(filter: {'{not: ' * 1_600}{{}}{'}' * 1_600}) {{ totalCount }} }}"


def nested_types() -> str:
    """A variable with a type of nested lists."""
    return f"query ($a: {'[' * 2_400}ID{']' * 2_400}) {{ __typename }}"


def long_list() -> str:
    """4,900 ids."""
    ids = '"a" ' * 4_900
    return f"{{ conversations(filter: {{ids: [{ids}]}}) {{ totalCount }} }}"


def unknown_fields() -> str:
    """4,900 unknown fields with names similar to those in the schema."""
    return f"{{ {_join(4_900, lambda place: f'conversationz{place}')} }}"


def unknown_fields_inside() -> str:
    """The same number, below a field."""
    return _inbox(_join(4_800, lambda place: f"conversationz{place}"))


def unknown_arguments() -> str:
    """500 unknown arguments."""
    return f"{{ conversations({_join(1_600, lambda place: f'firzt{place}: 1')}) {{ totalCount }} }}"


def unknown_types() -> str:
    """Fragments on 800 unknown types."""
    return "{ __typename } " + _join(800, lambda place: f"fragment F{place} on Conversationz{place} {{ id }}")


def unused_fragments() -> str:
    """Unused fragments, which are validated too."""
    return "{ __typename } " + _join(60, lambda place: f"fragment F{place} on Host {{ {'user { id } ' * 12} }}")


def many_variables() -> str:
    """1,200 unused variables."""
    return f"query ({_join(1_200, lambda place: f'$v{place}: Int')}) {{ __typename }}"


def many_undefined_variables_of_a_long_name() -> str:
    """An operation name of 200 KB, which is part of many errors."""
    uses = _join(100, lambda place: f"a{place}: hosts(first: $v{place}) {{ totalCount }}")
    return f"query {'N' * 200_000} {{ {uses} }}"


def many_operations() -> str:
    """500 with one fragment."""
    queries = _join(500, lambda place: f"query Q{place} {{ conversations {{ nodes {{ ...F }} }} }}")
    return f"{queries} fragment F on Conversation {{ id }}"


def many_operations_with_a_chain() -> str:
    """250 with 300 fragments each."""
    queries = _join(250, lambda place: f"query Q{place} {_inbox('...F0')}")
    links = _join(300, lambda place: f"fragment F{place} on Conversation {{ ...F{place + 1} }}")
    return f"{queries} {links} fragment F300 on Conversation {{ id }}"


def many_operations_whose_chain_has_variables() -> str:
    """150 operations with 160 uses of a variable each."""
    queries = _join(150, lambda place: f"query Q{place}($v: Int) {_inbox('...F0')}")
    link = "messages(first: $v) {{ totalCount }} ...F{}"
    links = _join(160, lambda place: f"fragment F{place} on Conversation {{ {link.format(place + 1)} }}")
    return f"{queries} {links} fragment F160 on Conversation {{ id }}"


def deep_introspection() -> str:
    """Types of types of types."""
    return f"{{ __schema {{ types {{ {'fields { type { ' * 40} name {' } }' * 40} }} }} }}"


def circular_introspection() -> str:
    """The same, within the allowed depth."""
    fields = "name fields { name type { name fields { name type { name fields { name type { name } } } } } }"
    return f"{{ __schema {{ types {{ {fields} }} }} }}"


def introspection_under_aliases() -> str:
    """Full introspection, 30 times."""
    fields = "name fields { name args { name defaultValue type { name } } type { name } } enumValues { name }"
    return f"{{ __schema {{ {_join(30, lambda place: f'a{place}: types {{ {fields} }}')} }} }}"


def long_string() -> str:
    """An id of a quarter of a megabyte."""
    return f'{{ node(id: "{"x" * 250_000}") {{ id }} }}'


def escapes() -> str:
    """40,000 characters, each as an escape of six."""
    return '{ node(id: "' + r"\u0041" * 40_000 + '") { id } }'


def block_string() -> str:
    """A block string with many lines, which are dedented."""
    return '{ node(id: """' + "\n   x" * 40_000 + '""") { id } }'


def huge_numbers() -> str:
    """An integer of 100,000 digits."""
    return f"{{ hosts(first: {'9' * 100_000}) {{ totalCount }} }}"


def huge_exponent() -> str:
    """A number beyond the range of floats."""
    return "{ hosts(first: 1e999999999) { totalCount } }"


def page_beyond_32_bits() -> str:
    """A page of 2**31 nodes."""
    return "{ hosts(first: 2147483648) { nodes { id } } }"


def huge_database_id() -> str:
    """An id of 4,000 digits, beyond 64 bits."""
    return f"{{ conversation(databaseId: {'9' * 4_000}) {{ id }} }}"


def product_of_pages() -> str:
    """Nested pages with 10**12 nodes."""
    page = "bookings(first: 100) { nodes { conversations(first: 100) { nodes { "
    return f"{{ conversations(first: 100) {{ nodes {{ {page * 2} id {' }' * 8} }} }} }}"


def doubled_fragments_of_a_subscription() -> str:
    """Written out, 2**60 root fields, of which a subscription may have one."""
    links = _join(
        60, lambda place: f"fragment F{place} on Subscription {{ ...F{place + 1} ... {{ ...F{place + 1} }} }}"
    )
    return f"subscription {{ ...F0 }} {links} fragment F60 on Subscription {{ changes {{ endCursor }} }}"


def subscriptions_under_aliases() -> str:
    """The root field of a subscription 2,000 times."""
    return f"subscription {{ {_join(2_000, lambda place: f'a{place}: changes {{ endCursor }}')} }}"


def pages_in_a_subscription() -> str:
    """Pages of pages for each of the changes of an event, and beside them."""
    page = "conversations(first: 100) { nodes { bookings(first: 100) { nodes { id } } } }"
    changed = "... on Conversation { bookings(first: 100) { nodes { conversations(first: 100) { nodes { id } } } } }"
    return f"subscription {{ changes {{ changes {{ node {{ {changed} }} }} query {{ {page} }} }} }}"


DOCUMENTS: list[Callable[[], str]] = [
    value
    for name, value in sorted(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and not name.startswith("_")
]
