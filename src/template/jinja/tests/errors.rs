//! The messages of template errors.

use super::*;
use crate::template::Problem;

#[test]
fn errors_name_place_kind_and_next_move() {
    for (template, class, expected) in [
        (
            "{{ NOPE }}",
            Class::Missing,
            "line 1, column 4: `NOPE` is not defined",
        ),
        (
            "a\n  {{ TREE.zz }}",
            Class::Missing,
            "line 2, column 6: `zz` is not defined",
        ),
        (
            "{{ fields['zz'] }}",
            Class::Missing,
            "line 1, column 4: `zz` is not defined",
        ),
        (
            "{{ NOPE | upper }}",
            Class::Missing,
            "line 1, column 4: `NOPE` is not defined",
        ),
        (
            "{{ 'a' if not ON }}",
            Class::Missing,
            "line 1, column 4: `this` is not defined",
        ),
        (
            "{{ EMPTY }}",
            Class::Refused,
            "line 1, column 4: field `EMPTY` is empty",
        ),
        (
            "{{ NULL | default('x') }}",
            Class::Missing,
            "line 1, column 4: field `NULL` is null",
        ),
        (
            "{{ BYTES | upper }}",
            Class::Configuration,
            "line 1, column 12: `upper` takes text, and this is bytes that are no text",
        ),
        (
            "{{ BYTES ~ 'x' }}",
            Class::Configuration,
            "line 1, column 4: `~` takes text, and this is bytes that are no text",
        ),
        (
            "{{ {'a': BYTES} | toYaml }}",
            Class::Configuration,
            "line 1, column 19: `toYaml` takes what YAML has a spelling for, and this is bytes \
             that are no text",
        ),
        (
            "{{ USER | hexdec }}",
            Class::Corrupt,
            "line 1, column 11: `hexdec` was given something else than hexadecimal digits in pairs",
        ),
        (
            "{{ 'abc' | hexdec }}",
            Class::Corrupt,
            "line 1, column 12: `hexdec` was given something else than hexadecimal digits in pairs",
        ),
        (
            "{{ USER | fromJson }}",
            Class::Corrupt,
            "line 1, column 11: `fromJson` was given something else than one JSON value",
        ),
        (
            "{{ CHAIN }}",
            Class::Configuration,
            "line 1, column 4: `{{ }}` takes text, and this is a list",
        ),
        (
            "{{ TREE.n }}",
            Class::Configuration,
            "line 1, column 4: `{{ }}` takes text, and this is null",
        ),
        (
            "{{ USER + 1 }}",
            Class::Configuration,
            "line 1, column 4: `+` takes two whole numbers (text becomes one with `int`), and \
             this is text",
        ),
        (
            "{{ BIG * BIG }}",
            Class::Refused,
            "line 1, column 4: the number has no value in 64 bits",
        ),
        (
            "{{ 1 // 0 }}",
            Class::Refused,
            "line 1, column 4: the number has no value in 64 bits",
        ),
        (
            "{{ USER | int }}",
            Class::Configuration,
            "line 1, column 11: `int` takes a whole number in digits, and this is something else",
        ),
        (
            "{{ USER | base64decode }}",
            Class::Corrupt,
            "line 1, column 11: `base64decode` was given something else than base64",
        ),
        (
            "{{ USER | nope }}",
            Class::Configuration,
            "line 1, column 11: there is no filter `nope`",
        ),
        (
            "{{ USER is nope }}",
            Class::Configuration,
            "line 1, column 12: there is no test `nope`",
        ),
        (
            "{{ USER | replace('a') }}",
            Class::Configuration,
            "line 1, column 11: `replace` does not take these arguments",
        ),
        (
            "{{ USER | upper(1) }}",
            Class::Configuration,
            "line 1, column 11: `upper` does not take these arguments",
        ),
        (
            "{{ USER | replace('', 'x') }}",
            Class::Configuration,
            "line 1, column 11: `replace` does not take these arguments",
        ),
        (
            "{{ CHAIN | indent }}",
            Class::Configuration,
            "line 1, column 12: `indent` takes text, and this is a list",
        ),
        (
            "{{ [] | first }}",
            Class::Configuration,
            "line 1, column 9: there must be something in the list, and this is an empty one",
        ),
        (
            "{{ '\\u0000' | quote }}",
            Class::Configuration,
            "line 1, column 15: `quote` takes text without a NUL byte, and this is text with one",
        ),
        (
            "{{ env('HOME') }}",
            Class::Configuration,
            "line 1, column 4: a call has no place in a template of secrets",
        ),
        (
            "{{ USER.upper() }}",
            Class::Configuration,
            "line 1, column 8: a call has no place in a template of secrets",
        ),
        (
            "{{ USER[1:2] }}",
            Class::Configuration,
            "line 1, column 4: a slice has no place in a template of secrets",
        ),
        (
            "{{ 1.5 }}",
            Class::Configuration,
            "line 1, column 4: a number with a fraction, or one beyond 64 bits, has no place in a \
             template of secrets",
        ),
        (
            "{{ 2 ** 9 }}",
            Class::Configuration,
            "line 1, column 4: `**` has no place in a template of secrets",
        ),
        (
            "{% filter upper %}x{% endfilter %}",
            Class::Configuration,
            "line 1, column 4: `filter` with a body has no place in a template of secrets",
        ),
        (
            "{% for a in USER %}{% endfor %}",
            Class::Configuration,
            "line 1, column 13: `for` takes a list or a mapping, and this is text",
        ),
        (
            "{% for a, b in CHAIN %}{% endfor %}",
            Class::Configuration,
            "line 1, column 16: `for` takes lists of 2, and this is text",
        ),
    ] {
        let error = render(template).expect_err(template);
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (class, expected),
            "{template}"
        );
    }
}

#[test]
fn what_does_not_parse_is_told_with_its_line() {
    for (template, line) in [
        ("{{ ", 1),
        ("\n{% if %}", 2),
        ("{% include 'x' %}", 1),
        ("{% endif %}", 1),
        ("{{ 'a }}", 1),
        ("{% macro x() %}{% endmacro %}", 1),
    ] {
        let error = render(template).expect_err(template);
        assert!(
            matches!(error.problem, Problem::Syntax(_)),
            "{template}: {error}"
        );
        assert_eq!(error.at.line, line, "{template}");
    }
}
