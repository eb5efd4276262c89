"""The language of templates: what it refuses, what it shows, and that it always ends soon."""

import time
from typing import Any

import pytest
from campaigns_svc.features.templates.rules import (
    MAX_OUTPUT,
    RenderingFailed,
    Source,
    TemplateFault,
    check,
    one_line,
    render,
)
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = [
    # time and memory
    "{{ 'a' * 99999999 }}",
    "{{ 10 ** 99999 }}",
    "{{ contact.full_name ~ contact.full_name }}",
    "{{ 'a' + 'b' }}",
    "{{ 1 - 1 }}",
    "{{ 10 % 3 }}",
    "{{ -5 }}",
    "{% for i in range(9000000) %}x{% endfor %}",
    "{% for x in contact.custom.list recursive %}{{ loop([x]) }}{% endfor %}",
    "{% set a = 'x' %}{{ a }}",
    "{% set a %}x{% endset %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% call m() %}x{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% with a = 1 %}{{ a }}{% endwith %}",
    "{{ range(10) }}",
    "{{ lipsum(n=9999) }}",
    "{{ cycler('a') }}",
    "{{ contact.full_name|center(99999999) }}",
    "{{ contact.full_name|indent(99999999) }}",
    "{{ '%99999999d'|format(1) }}",
    "{{ contact.full_name|replace('a', 'aaaaaaaaaa') }}",
    "{{ contact.full_name|wordwrap(1) }}",
    "{{ contact.full_name|truncate(99999999) }}",
    "{{ contact.full_name|truncate(1) }}",
    "{{ contact.full_name|truncate(-3) }}",
    "{{ contact.full_name|truncate(10.5) }}",
    "{{ contact.full_name|truncate(contact.custom.n) }}",
    "{{ contact.full_name|default(contact.email) }}",
    "{{ contact.full_name|default(*[1]) }}",
    "{{ contact.full_name|default(**{'a': 1}) }}",
    "{{ contact.full_name|upper(1) }}",
    "{{ contact.custom.x|map('upper')|list }}",
    "{{ contact.custom.x|join(', ') }}",
    "{{ contact.custom.x|tojson }}",
    "{{ contact.custom.x|xmlattr }}",
    "{{ 99999999999999999999999 }}",
    "{{ '" + "x" * 501 + "' }}",
    "{{ contact.full_name" + "|upper" * 40 + " }}",
    "{{ " + "(" * 40 + "contact.full_name or 1" + " or 1)" * 40 + " }}",
    "{{ " + "not " * 40 + "contact.full_name }}",
    "{% if contact.full_name %}" * 40 + "{% endif %}" * 40,
    "{{ " + "[" * 20_000 + "]" * 20_000 + " }}",
    "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "{{ 1 }}" * 5_100,
    "{{ " + "contact.full_name and " * 2_000 + "1 }}",
    # reach
    "{{ contact }}",
    "{{ contact.custom }}",
    "{{ contact.__class__ }}",
    "{{ contact['__class__'] }}",
    "{{ contact.full_name.__class__ }}",
    "{{ contact.full_name['upper'] }}",
    "{{ contact.custom.a.b.c.d.e.f }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ ().__class__ }}",
    "{{ contact.items() }}",
    "{{ contact.custom.update({'a': 1}) }}",
    "{{ contact.full_name.upper() }}",
    "{{ contact[contact.full_name] }}",
    "{{ contact.full_name[0:2] }}",
    "{{ (contact.full_name or contact.email).x }}",
    "{{ contact.full_name|attr('upper') }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ namespace() }}",
    "{{ config }}",
    "{{ request.headers }}",
    "{{ nobody }}",
    "{{ contact.nickname }}",
    "{{ account.secret }}",
    "{{ unsubscribe_url.scheme }}",
    "{% include 'x' %}",
    "{% import 'x' as x %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% block a %}{% endblock %}",
    "{% autoescape false %}{{ contact.full_name }}{% endautoescape %}",
    "{{ contact.full_name|safe }}",
    "{{ contact.full_name|forceescape }}",
    "{{ contact.full_name is sameas none }}",
    "{{ contact.full_name is divisibleby 3 }}",
    "{{ contact.full_name in contact.custom.list }}",
    "{{ 1 < contact.custom.n < 3 }}",
    "{{ [contact.full_name] }}",
    "{{ {'a': 1} }}",
    # no Jinja at all
    "{{ contact.full_name",
    "{% if contact.full_name %}",
    "{% endif %}",
    "{% do contact %}",
    "{{ }}",
    "{{ contact. }}",
    "{{ contact.full_name | }}",
    "{# never closed",
    "{{ 'open }}",
]


@pytest.mark.parametrize("source", HOSTILE, ids=lambda source: source[:40])
def test_what_could_run_long_or_reach_out_is_refused_at_once(source: str) -> None:
    started = time.perf_counter()
    with pytest.raises(TemplateFault) as caught:
        check(source)
    assert time.perf_counter() - started < 2
    assert caught.value.detail.en.startswith("Line 1: ")
    assert caught.value.detail.zh.startswith("第 1 行：")


def test_the_fault_names_its_line() -> None:
    with pytest.raises(TemplateFault) as caught:
        check("Hello\n\n{{ contact.full_name }}\n{% for x in y %}{% endfor %}")
    assert (caught.value.line, caught.value.detail.en) == (4, "Line 4: 'for' is not available in templates")


VALUES: dict[str, Any] = {
    "contact": {
        "full_name": "李雷 <b>",
        "title": None,
        "custom": {"n": 7, "list": ["a", "b"], "yes": True, "items": "shown", "text": "x"},
    },
    "account": {},
    "campaign": {"id": "campaign_1", "name": "Spring"},
    "unsubscribe_url": "https://x/y",
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ contact.full_name }}", "Hi 李雷 <b>"),
        ("{{ contact['full_name'] }}", "李雷 <b>"),
        ("{{ contact.first_name }}|{{ contact.title }}|{{ account.name }}", "||"),
        ("{{ contact.first_name|default('friend')|upper }}", "FRIEND"),
        ("{{ contact.title|default('—') }}", "—"),
        ("{{ contact.custom.items }} {{ contact.custom.nothing.at.all }}", "shown "),
        ("{{ contact.custom.list }} {{ contact.custom.list[1] }}{{ contact.custom.list[9] }}", "a, b b"),
        ("{{ contact.custom.yes }}", "true"),
        ("{% if contact.custom.n > 5 %}many{% elif contact.custom.n == 0 %}none{% else %}few{% endif %}", "many"),
        ("{% if contact.custom.missing > 5 %}many{% else %}few{% endif %}", "few"),
        ("{% if 5 < contact.custom.missing %}many{% else %}few{% endif %}", "few"),
        ("{% if contact.custom.a == contact.custom.b %}same{% else %}missing equals nothing{% endif %}",
         "missing equals nothing"),
        ("{{ 'yes' if contact.custom.n in [1, 7] and not contact.title else 'no' }}", "yes"),
        ("{{ 'yes' if contact.title is none or contact.title is undefined }}", "yes"),
        ("{{ campaign.name|lower|title|trim|truncate(3, true) }}", "..."),
        ("{{ contact.full_name|truncate(3, true) }}{{ unsubscribe_url }}", "...https://x/y"),
        ("{% raw %}{{ contact }}{% endraw %}{# remark #}", "{{ contact }}"),
        ("{{ contact.full_name|e }}", "李雷 &lt;b&gt;"),
    ],
)  # fmt: skip
def test_what_is_left_is_enough_to_write_a_letter(source: str, text: str) -> None:
    check(source)
    assert render(Source(None, source, None), VALUES).text == text


def test_html_is_escaped_and_text_is_not() -> None:
    source = '<a href="{{ contact.full_name }}">{{ contact.full_name }} {{ contact.custom.list }}</a>'
    evil = '"><script>alert(1)</script>'
    rendered = render(Source("{{ contact.full_name }}", source, source), {"contact": {"full_name": evil, "custom": {}}})
    assert rendered.html is not None
    assert "<script>" not in rendered.html
    assert rendered.html.count("&#34;&gt;&lt;script&gt;") == 2
    assert "<script>" in rendered.text
    assert rendered.subject == evil


def test_the_output_has_a_bound() -> None:
    source = "{{ contact.custom.big }}" * 1000
    check(source)
    with pytest.raises(RenderingFailed):
        render(Source(None, source, None), {"contact": {"custom": {"big": "x" * (MAX_OUTPUT // 100)}}})


def test_values_that_do_not_compare_are_a_failure_that_is_told() -> None:
    source = "{% if contact.custom.n > 'x' %}a{% endif %}"
    check(source)
    with pytest.raises(RenderingFailed):
        render(Source(None, source, None), VALUES)


@given(st.text())
def test_a_header_is_one_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert one_line(line) == line


_FRAGMENTS = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", " contact", ".full_name", "|upper", "|default('x')", " if ", " else ", " endif ",
     "for x in y", " not ", " and ", "(", ")", "[", "]", "'a'", " 1 ", "*", "~", "\n", "中", " custom", ".custom.a", " == "]
)  # fmt: skip


@given(st.lists(_FRAGMENTS, max_size=30).map("".join))
def test_whatever_passes_the_check_renders_or_says_why_not(source: str) -> None:
    try:
        check(source)
    except TemplateFault:
        return
    try:
        rendered = render(Source(source, source, source), VALUES)
    except RenderingFailed:
        return
    assert len(rendered.text) <= MAX_OUTPUT
