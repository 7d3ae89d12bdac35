use super::super::functions::FILTERS;
use super::*;
use crate::base::failure::{Class, Fault};

mod errors;
mod limits;

/// Fields whose text may not be empty, which is the default of the configuration.
struct Sample(Vec<(&'static str, Node)>);

impl Fields for Sample {
    fn all(&self) -> Vec<(&str, Result<&Node, Failure>)> {
        let printable = |name, node: &'_ Node| match node {
            Node::Text(text) if text.is_empty() => Err(Failure::new(
                Class::Refused,
                format!("field `{name}` is empty"),
            )),
            Node::Null => Err(Failure::new(
                Class::Missing,
                format!("field `{name}` is null"),
            )),
            Node::Text(_)
            | Node::Bool(_)
            | Node::Number(_)
            | Node::Time(_)
            | Node::List(_)
            | Node::Map(_) => Ok(()),
        };
        let entries = self.0.iter();
        entries
            .map(|(name, node)| (*name, printable(name, node).map(|()| node)))
            .collect()
    }

    fn field(&self, name: &str) -> Option<Result<&Node, Failure>> {
        let mut all = self.all().into_iter();
        all.find(|(own, _)| *own == name).map(|(_, node)| node)
    }
}

fn text(text: &str) -> Node {
    Node::text(text)
}

fn number(spelling: &str) -> Node {
    Node::Number(spelling.into())
}

fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    let entries = entries.into_iter();
    Node::Map(entries.map(|(key, node)| (key.to_owned(), node)).collect())
}

fn list<const N: usize>(items: [Node; N]) -> Node {
    Node::List(items.into())
}

fn sample() -> Sample {
    Sample(vec![
        ("USER", text("ann")),
        ("PASSWORD", text("p@ss/w:rd é")),
        ("PORT", number("5432")),
        ("BIG", number("9007199254740993")),
        ("RATIO", number("1.10")),
        ("ON", Node::Bool(true)),
        ("HOSTS", text("a, b ,c")),
        ("tls.crt", text("PEM")),
        ("CHAIN", list([text("one"), text("two")])),
        (
            "TREE",
            map([
                ("k", text("v")),
                ("n", Node::Null),
                ("m", map([("x", number("1"))])),
            ]),
        ),
        ("LINES", text("a\n\nb")),
        ("QUOTE", text("it's <b>\"&\u{1}")),
        ("BYTES", Node::text(&b"\xff"[..])),
        ("JSON", text("{\"a\": [{\"b\": 1.50}], \"c\": null}")),
        ("EMPTY", text("")),
        ("NULL", Node::Null),
    ])
}

fn render(template: &str) -> Result<String, TemplateError> {
    let bytes = Template::parse(template)?.render(&sample())?;
    Ok(bytes.expose_str().expect("text").to_owned())
}

#[test]
fn templates_print() {
    for (template, expected) in [
        ("plain\n", "plain\n"),
        ("{# note #}{{ USER }}:{{ PORT }}", "ann:5432"),
        (
            "{{ BIG }} {{ RATIO }} {{ ON }}",
            "9007199254740993 1.10 true",
        ),
        ("{{ fields['tls.crt'] }}{{ fields.USER }}", "PEMann"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("a\n{%- if ON %} b{% endif %}", "a b"),
        ("{{ USER ~ ':' ~ PORT }}", "ann:5432"),
        (
            "{{ PORT + 1 }} {{ PORT - 32 }} {{ 2 * 3 }} {{ 7 // 2 }} {{ -7 % 3 }} {{ -PORT }}",
            "5433 5400 6 3 2 -5432",
        ),
        (
            "{% if USER == 'ann' and PORT > 5000 %}y{% else %}n{% endif %}",
            "y",
        ),
        (
            "{% if USER != 'ann' or not ON %}y{% elif PORT == 5432 %}e{% else %}n{% endif %}",
            "e",
        ),
        (
            "{{ 'y' if 'nn' in USER else 'n' }}{{ 'z' not in USER }}",
            "ytrue",
        ),
        (
            "{{ 1 < PORT < 6000 }}{{ 'b' in ['a', 'b'] }}{{ 'k' in TREE }}",
            "truetruetrue",
        ),
        ("{{ 'USER' in fields }}", "true"),
        (
            "{{ USER is defined }}{{ NOPE is defined }}{{ TREE.zz is undefined }}",
            "truefalsetrue",
        ),
        (
            "{{ USER is startingwith('a') }}{{ USER is endingwith 'x' }}",
            "truefalse",
        ),
        (
            "{{ NOPE | default('d') }}{{ USER | default('d') }}{{ NOPE.x | default(PORT) }}",
            "dann5432",
        ),
        (
            "{{ '' | default('d') }}{{ '' | default('d', true) }}{{ '' | default('d', \
             boolean=true) }}",
            "dd",
        ),
        (
            "{{ TREE.k }}{{ TREE['m'].x }}{{ CHAIN[1] }}{{ CHAIN[9] is defined }}",
            "v1twofalse",
        ),
        (
            "{% for h in HOSTS | split(',') %}{{ loop.index }}{{ h | trim \
             }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1a,2b,3c",
        ),
        (
            "{% for h in CHAIN if h != 'one' %}{{ h }}{{ loop.length }}{% else %}none{% endfor %}",
            "two1",
        ),
        ("{% for h in [] %}x{% else %}none{% endfor %}", "none"),
        (
            "{% for k, v in TREE.m | items %}{{ k }}={{ v }}{% endfor %}{% for k in TREE %}{{ k \
             }}{% endfor %}",
            "x=1knm",
        ),
        (
            "{% set a = USER %}{% for i in ['1'] %}{% set a = i %}{{ a }}{% endfor %}{{ a }}",
            "1ann",
        ),
        (
            "{% set x = {'a': [1, none]} %}{{ x | json }}",
            "{\"a\":[1,null]}",
        ),
        ("{{ PASSWORD | urlencode }}", "p%40ss%2Fw%3Ard%20%C3%A9"),
        ("{{ '-._~' | urlencode }}", "-._~"),
        (
            "{{ (USER ~ ':x') | base64 }} {{ 'YW5uOng=' | base64decode }}",
            "YW5uOng= ann:x",
        ),
        (
            "{{ QUOTE | json }} {{ RATIO | json }} {{ TREE | json }}",
            "\"it's <b>\\\"&\\u0001\" 1.10 {\"k\":\"v\",\"n\":null,\"m\":{\"x\":1}}",
        ),
        (
            "{{ 'abc' | sha256sum }}",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "{% set a = 'abc' %}{{ a | upper | lower | sha256sum | length }}",
            "64",
        ),
        (
            "{{ USER | sha256sum }} {{ BYTES | sha256sum }}",
            "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1 \
             a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89",
        ),
        (
            "{{ JSON | fromJson | json }}{{ (JSON | fromJson).a[0].b }}{{ '1.50' | fromJson }}",
            "{\"a\":[{\"b\":1.50}],\"c\":null}1.501.50",
        ),
        (
            "{{ TREE | toYaml }}|{{ {'a': TREE.m, 'b': 'yes'} | toYaml | indent(2) }}|{{ [] | \
             toYaml }}",
            "k: \"v\"\n\"n\": null\nm:\n  x: 1|a:\n    x: 1\n  b: \"yes\"|[]",
        ),
        ("{{ '61 62\n63' | hexdec }}{{ '' | hexdec }}", "abc"),
        (
            "{{ BYTES | base64 }}{{ '/w==' | base64decode | base64 }}{{ 'fF' | hexdec | base64 \
             }}{{ BYTES | length }}",
            "/w==/w==/w==1",
        ),
        (
            "{{ BYTES == 'ff' | hexdec }}{{ BYTES != '00fe' | hexdec }}{{ BYTES and 'y' }}",
            "truetruey",
        ),
        (
            "{{ ' Ab ' | trim }}{{ 'Ab' | lower }}{{ 'Ab' | upper }}",
            "AbabAB",
        ),
        (
            "{{ USER | replace('n', 'NN') }}{{ USER | replace(new='', old='a') }}",
            "aNNNNnn",
        ),
        (
            "{{ CHAIN | join('+') }}{{ CHAIN | join }}{{ CHAIN | first }}{{ CHAIN | last }}",
            "one+twoonetwoonetwo",
        ),
        ("{{ 'a b  c' | split | join('|') }}", "a|b|c"),
        (
            "{{ LINES | indent(2) }}|{{ LINES | indent(1, first=true, blank=true) }}",
            "a\n\n  b| a\n \n b",
        ),
        ("{{ QUOTE | quote }}", "'it'\\''s <b>\"&\u{1}'"),
        (
            "{{ '80' | int + 1 }}{{ CHAIN | length }}{{ 'é' | length }}",
            "8121",
        ),
    ] {
        assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn row_167_bytes_are_printed_as_they_are() {
    for (template, expected) in [
        ("{{ BYTES }}", &b"\xff"[..]),
        ("a{{ '/wA=' | base64decode }}b", b"a\xff\x00b"),
        ("{% set key = 'c3 28' | hexdec %}{{ key }}", b"\xc3\x28"),
        ("{{ NOPE | default(BYTES) }}", b"\xff"),
    ] {
        let bytes = Template::parse(template)
            .and_then(|template| template.render(&sample()))
            .expect(template);
        assert_eq!(bytes.expose(), expected, "{template}");
    }
}

#[test]
fn names_that_a_template_reads_are_known_without_values() {
    let template = Template::parse(
        "{{ A }}{{ B | default('x') }}{% if C is defined %}{{ C }}{% endif %}{% set D = E %}{{ D }}\
         {% for F in fields.G %}{{ F }}{{ loop.index }}{% endfor %}{{ fields['H'] }}",
    )
    .expect("valid");
    let uses: Vec<(&str, bool)> = template
        .uses
        .iter()
        .map(|used| (used.name.as_str(), used.optional))
        .collect();
    assert_eq!(
        uses,
        [
            ("A", false),
            ("B", true),
            ("C", true),
            ("C", true),
            ("E", false),
            ("G", false),
            ("H", false)
        ]
    );
}

/// minijinja's own engine prints the same, if both support it.
#[test]
fn the_engine_whose_parser_we_use_prints_the_same() {
    let mut engine = minijinja::Environment::new();
    engine.set_syntax(syntax::config());
    engine.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let context =
        minijinja::context! { A => "one two", N => 7, L => vec!["x", "y"], T => true, E => "" };
    let ours = Sample(vec![
        ("A", text("one two")),
        ("N", number("7")),
        ("L", list([text("x"), text("y")])),
        ("T", Node::Bool(true)),
    ]);
    for template in [
        "{{ A }}{{ N }}\n",
        "{{ A ~ N }}{{ N + 2 }}{{ N // 2 }}{{ N % 4 }}{{ -N }}{{ -N // 2 }}{{ -N % 4 }}",
        "{{ A | upper }}{{ A | replace('o', '0') }}{{ ' x ' | trim }}{{ A | length }}",
        "{{ L | join('-') }}{{ L | first }}{{ L | last }}{{ L | length }}",
        "{{ 'a,b' | split(',') | join(';') }}",
        "{% for x in L %}{{ loop.index }}{{ loop.length }}{{ x }}{% endfor %}",
        "{% for x in L if x == 'y' %}{{ loop.index }}{{ x }}{% endfor %}",
        "{% if N > 5 and T %}a{% elif A %}b{% else %}c{% endif %}",
        "{{ 'a' in A }}{{ 'x' in L }}{{ N in [7] }}{{ 1 < N <= 7 }}{{ N == '7' }}",
        "{{ Z | default('d') }}{{ A is defined }}{{ Z is defined }}",
        "{% set q = A %}{% for x in L %}{% set q = x %}{{ q }}{% endfor %}{{ q }}",
        "{{ 'x' if T else 'y' }}{{ not T }}{{ T and N }}{{ '' or A }}",
        "{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a\nb' | indent(2, true) }}",
        "  {%- if T -%}  a  {%- endif -%}  b\n\n",
        "{{ 'a' 'b' }}{{ \"q\\\"\\n\\u00e9\" }}",
    ] {
        let theirs = engine.render_str(template, &context);
        let ours = Template::parse(template).and_then(|template| template.render(&ours));
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => {
                // minijinja prints truth values as Python does.
                let theirs = theirs.replace("True", "true").replace("False", "false");
                assert_eq!(ours.expose_str(), Some(theirs.as_str()), "{template}")
            }
            (Err(_), Err(_)) => {}
            (theirs, ours) => panic!("{template}: {theirs:?} and {:?}", ours.map(|_| "printed")),
        }
    }
}

#[test]
fn the_documentation_has_an_example_of_each_filter() {
    let docs = include_str!("../../../docs/templates.md");
    let (_, jinja) = docs.split_once("### Filters").expect("the filters");
    let (jinja, _) = jinja.split_once("\n## ").expect("the end of Jinja");
    let used: Vec<&str> = jinja
        .split("| ")
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default()
        })
        .collect();
    for filter in FILTERS {
        assert!(used.contains(&filter.name), "{}", filter.name);
    }
}
