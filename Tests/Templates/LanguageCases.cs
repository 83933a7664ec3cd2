namespace KvIL.Tests.Templates;

/// <summary>Templates of our own and what Jinja 3.1.6 on Python 3.11 made of them, set up as for chat templates.</summary>
internal static class LanguageCases
{
    /// <summary>What they may read.</summary>
    public const string Variables = """
        {"s": "Hello World", "u": "a😀b", "l": [3, 1, 2], "d": {"b": 1, "A": 2}, "nul": null, "e": [],
         "users": [{"name": "Bob", "on": true}, {"name": "al", "on": false}]}
        """;

    public static readonly (string Template, string Expected)[] All =
    [
        // Rule 1: newlines and blanks at tags.
        ("a\r\nb\r\n", "a\nb"),
        ("a\n\n", "a\n"),
        ("{% if true %}\nx\n{% endif %}\ny", "x\ny"),
        ("  {% if true %}x{% endif %}", "x"),
        ("a\n  {# c #}\nb", "a\nb"),
        ("{{ 1 }}\n  {{ 2 }}", "1\n  2"),
        ("a  {%- if true -%}  b  {%- endif -%}  c", "abc"),
        ("{%+ if true +%}\nx{% endif %}", "\nx"),
        (" {{- 1 -}} b", "1b"),
        ("{% raw %}{{ x }}{% endraw %}\ny", "{{ x }}y"),
        // Rule 2: order of operators.
        ("{{ 'a' + ' b ' | trim + 'c' }}", "abc"),
        ("{{ not x is defined }}", "True"),
        ("{{ 1 if false else 2 if false else 3 }}", "3"),
        ("{{ 1 or 0 and 0 }}", "1"),
        ("{{ not 1 == 2 }}", "True"),
        ("{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}", "TrueFalse"),
        ("{{ 'n' ~ 3 * 2 ~ 1 }}", "n61"),
        ("{{ -2 ** 2 }}{{ 2 ** 3 ** 2 }}", "464"),
        ("{{ 2 in [1, 2] and 3 not in [1] }}", "True"),
        ("{{ -1 | abs }}", "1"),
        ("{{ 7 // 2 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 7 % -3 }}{{ 4 / 2 }}", "3-42-22.0"),
        // Rule 3: literals.
        ("{{ 'a\nb' }}", "a\nb"),
        ("{{ '\\n\\t\\'\\\\\\u00e9\\x41\\101\\q' }}", "\n\t'\\éAA\\q"),
        ("{{ \"a\" 'b' }}", "ab"),
        ("{{ [1, 'x', none, true, 1.5, ()] }}", "[1, 'x', None, True, 1.5, ()]"),
        ("{{ {'a': 1, 2: [3]} }}", "{'a': 1, 2: [3]}"),
        ("{{ (1,) }}{{ 0x1f }}{{ 1_000 }}{{ 1e3 }}", "(1,)3110001000.0"),
        // Rule 4: text.
        ("[{{ '\\u001c\\u0085 a\\u200b\\u00a0' | trim }}]", "[a​]"),
        ("{{ 'xyaxy'.strip('yx') }}{{ '\\n\\n a'.lstrip('\\n') }}", "a a"),
        ("{{ 'a,,b'.split(',') }}{{ ' a  b '.split() }}{{ 'a,b,c'.split(',', 1)[-1] }}", "['a', '', 'b']['a', 'b']b,c"),
        ("{{ \"they're two-fold\".title() }}|{{ \"they're two-fold\" | title }}", "They'Re Two-Fold|They're Two-Fold"),
        ("{{ u | length }}{{ u[1] }}{{ u[::-1] }}{{ u[-1:] }}{{ u.find('b') }}", "3😀b😀ab2"),
        ("{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.endswith('bc') }}{{ 'aXbX'.replace('X', '-', 1) }}{{ 'ab'.upper() }}", "TrueTruea-bXAB"),
        ("{{ 'x %s %05.2f %d%%' % ('y', 3.14159, 7) }}{{ '{} {b!r:>5}'.format(1, b='c') }}", "x y 03.14 7%1   'c'"),
        ("{{ 'ab' * 2 }}{{ 'ß'.upper() }}{{ 'ΑΣ'.lower() }}", "ababSSας"),
        // Rule 5: truth and equality.
        ("{{ '' == false }}{{ 1 == true }}{{ 1 == 1.0 }}{{ '1' == 1 }}", "FalseTrueTrueFalse"),
        ("{{ [] or {} or 0 or '' or none or 'z' }}", "z"),
        ("{{ 1 and 'a' }}{{ '' and 1 }}", "a"),
        ("{{ [1, {'a': 2}] == [1, {'a': 2.0}] }}{{ (1,) == [1] }}{{ users[-1] == {'on': false, 'name': 'al'} }}", "TrueFalseTrue"),
        // Rule 6: undefined.
        ("[{{ x }}]{{ x is defined }}{{ d.q is undefined }}{{ l[9] is defined }}{{ none.a is defined }}", "[]FalseTrueFalseFalse"),
        ("{% for i in x %}a{% else %}b{% endfor %}{{ x == y }}{{ x == none }}{{ x ~ 'c' }}{{ x | length }}", "bTrueFalsec0"),
        ("{{ x | default('d') }}{{ '' | default('d') }}{{ '' | default('d', true) }}", "dd"),
        // Rule 7: scope.
        ("{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }}", "1"),
        ("{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "2"),
        ("{% set ns = namespace(n=0) %}{% for i in l %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "6"),
        ("{% set l = l[1:] %}{{ l }}", "[1, 2]"),
        ("{% macro m() %}{{ g }}{{ i }}{% endmacro %}{% set g = 5 %}{% for i in l %}{{ m() }}{% endfor %}", "555"),
        ("{% with a = 1 %}{{ a }}{% endwith %}[{{ a }}]", "1[]"),
        ("{% generation %}{% set q = 1 %}{% endgeneration %}[{{ q }}]", "[]"),
        // Rule 8: loop.
        ("{% for i in l if i != 1 %}{{ loop.index0 }}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.length }}[{{ loop.previtem }},{{ loop.nextitem }}]{% endfor %}", "01TrueFalse2[,2]12FalseTrue2[3,]"),
        ("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "b=1;A=2;"),
        ("{% for i in l %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "3"),
        ("{% for i in l | reverse %}{{ i }}{{ loop.revindex }}{% endfor %}", "231231"),
        ("{% for i in [[1, [2]], 3] recursive %}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}{% endif %}{% endfor %}", "(1(2))3"),
        ("{% set ns = namespace(stop=false) %}{% for i in l if not ns.stop %}{{ i }}{% set ns.stop = true %}{% endfor %}", "3"),
        // Rule 9: printing.
        ("{{ none }}{{ true }}{{ 1.0 }}{{ 1e16 }}{{ 1e-05 }}{{ 2 ** 70 }}{{ 0.1 + 0.2 }}", "NoneTrue1.01e+161e-0511805916207174113034240.30000000000000004"),
        ("{{ '<&>' }}{{ ['a\\'b', 'é\\n'] }}", "<&>[\"a'b\", 'é\\n']"),
        ("{% generation %}g{% endgeneration %}", "g"),
        ("{{ ('<' | safe) + '<' }}{{ '<' | e }}{{ ('<' | safe) ~ '<' }}", "<&lt;&lt;<<"),
        // Filters.
        ("{{ users | selectattr('on') | map(attribute='name') | list }}", "['Bob']"),
        ("{{ users | rejectattr('name', 'equalto', 'Bob') | list | length }}", "1"),
        ("{{ l | select('odd') | list }}{{ l | reject('gt', 2) | join('-') }}", "[3, 1]1-2"),
        ("{{ l | sort }}{{ l | first }}{{ l | last }}{{ l | max }}{{ l | sum }}{{ [1, 1, 2] | unique | list }}", "[1, 2, 3]3236[1, 2]"),
        ("{{ d | items | list }}{{ d | dictsort }}{{ d | list }}{{ d | length }}", "[('b', 1), ('A', 2)][('A', 2), ('b', 1)]['b', 'A']2"),
        ("{{ {'b': [1, 'é\\n/'], 'a': none} | tojson }}{{ {'b': [1, {}]} | tojson(indent=2) }}", "{\"b\": [1, \"é\\n/\"], \"a\": null}{\n  \"b\": [\n    1,\n    {}\n  ]\n}"),
        ("{{ '42' | int }}{{ 'x' | int(7) }}{{ '1.5' | float }}{{ 2.5 | round }}{{ 2.675 | round(2) }}{{ 42 | round }}", "4271.52.02.6742"),
        ("{{ 'a\\nb' | indent(2) }}{{ s | replace('l', 'L') | upper | lower | capitalize }}{{ s | string | wordcount }}", "a\n  bHello world2"),
        ("{{ l | batch(2) | list }}{{ l | slice(2) | list }}{{ users | groupby('on') | map('first') | list }}", "[[3, 1], [2]][[3, 1], [2]][False, True]"),
        ("{{ 'abc def ghi' | truncate(6, false, '..', 0) }}{{ 'a b' | urlencode }}{{ ('%s!' | format('x')) }}", "abc..a%20bx!"),
        // Tests.
        ("{{ s is string }}{{ d is mapping }}{{ l is sequence }}{{ s is iterable }}{{ 5 is iterable }}{{ nul is none }}{{ false is false }}{{ 0 is false }}", "TrueTrueTrueTrueFalseTrueTrueFalse"),
        ("{{ 6 is divisibleby 3 }}{{ 3 is odd }}{{ 1 is in [1] }}{{ 1 is not number }}{{ 'trim' is filter }}{{ (l | map('string')) is sequence }}", "TrueTrueTrueFalseTrueFalse"),
        // Blocks.
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}{{ m(1, 3, 4, c=5) }}{{ m(b=1) }}", "12(){}13(4,){'c': 5}1(){}"),
        ("{% macro m(a) %}<{{ caller(a) }}>{% endmacro %}{% call(x) m(1) %}{{ x }}{% endcall %}", "<1>"),
        ("{% set x | upper %}a{{ 1 }}{% endset %}{{ x }}{% filter upper %}b{% endfilter %}", "A1B"),
        ("{% set a, b = 1, [2] %}{{ a }}{{ b }}", "1[2]"),
        ("{{ range(5)[1:3] | list }}{{ range(4, 0, -2) | list }}{{ dict(a=1) }}{{ namespace(a=1).a }}", "[1, 2][4, 2]{'a': 1}1"),
        ("{{ strftime_now('%d %b %Y|%B %d, %Y|%Y-%m-%d|%A %H:%M %j') }}", "09 Mar 2025|March 09, 2025|2025-03-09|Sunday 14:05 068"),
        ("{{ d.get('q') }}{{ d.get('q', 1) }}{{ d.keys() | list }}{{ d.values() | list }}{{ l.count(1) }}", "None1['b', 'A'][1, 2]1"),
    ];
}
