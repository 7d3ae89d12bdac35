//! No value is in any error, whatever fails and however the value was encoded on the way.

use keyferry::base::material::{Material, Node};
use keyferry::config::{FileFormat, Registry, SecretKind, Target};
use keyferry::render;
use keyferry::render::fetched::Fetched;
use proptest::prelude::*;

use super::build::{computed, config, delivery, desired_of, file, files, secret, vault};

const CANARY: &str = "CANARY:k/7 w'q\"";

/// Pieces that would show up if the value did, plain or encoded.
const TRACES: [&str; 6] = [
    "CANARY",
    "canary",
    "k/7",
    "Q0FOQVJZ",
    "43414e415259",
    "%2F7",
];

fn assert_clean(shown: &str) {
    for trace in TRACES {
        assert!(!shown.contains(trace), "{trace} is in: {shown}");
    }
}

/// Templates that fail, each at another place.
const FAILING: [&str; 26] = [
    "{{ T + 1 }}",
    "{{ 1 + T }}",
    "{{ -T }}",
    "{{ T < 1 }}",
    "{{ T in 1 }}",
    "{{ T | int }}",
    "{{ T | base64decode }}",
    "{{ T | hexdec }}",
    "{{ T | fromJson }}",
    "{{ {'a': B} | toYaml }}",
    "{{ T | join }}",
    "{{ T | items }}",
    "{{ T | first }}",
    "{{ T | indent(T) }}",
    "{{ T | replace('', T) }}",
    "{{ T | split('') }}",
    "{{ L | upper }}",
    "{{ L[T] }}",
    "{{ M[T] }}",
    "{{ fields[T] }}",
    "{{ T.x }}",
    "{{ L }}",
    "{{ M }}",
    "{{ B | upper }}",
    "{% for a, b in [T] %}{% endfor %}",
    "{{ (T ~ '\\u0000') | quote }}",
];

fn fields(value: &str) -> Node {
    let text = || Node::text(value);
    Node::Map(vec![
        ("T".to_owned(), text()),
        ("L".to_owned(), Node::List(vec![text(), text()])),
        ("M".to_owned(), Node::Map(vec![("x".to_owned(), text())])),
        (
            "B".to_owned(),
            Node::text([value.as_bytes(), b"\xff"].concat()),
        ),
        ("N".to_owned(), Node::Number(value.into())),
    ])
}

fn fetched(tree: Node) -> Fetched {
    Fetched::from_parts([(vault("kv/a").source, Ok(Material::unversioned(tree)))])
}

#[test]
fn templates_fail_without_showing_what_they_worked_on() {
    for template in FAILING {
        let mut one = delivery("d", [vault("kv/a")]);
        one.fields = vec![computed("X", template)];
        one.to = vec![file(
            "x",
            FileFormat::Raw {
                field: Some("X".to_owned()),
            },
        )];
        let made = desired_of(&config([one]), &fetched(fields(CANARY))).remove(0);
        let failure = made.expect_err(template);
        assert_clean(&format!("{failure} {failure:?}"));
    }
}

/// Each target takes one field, and each of these has something against it.
fn refusing() -> Vec<(Target, Node)> {
    let canary = || Node::text(CANARY);
    let field = |name: &str, node| Node::Map(vec![(name.to_owned(), node)]);
    let login = |server: Option<&str>| Registry {
        server: server.map(str::to_owned),
        username: "U".to_owned(),
        password: "P".to_owned(),
    };
    let docker = |registries| SecretKind::DockerConfigJson { registries };
    let bytes = || Node::text([CANARY.as_bytes(), b"\xff"].concat());
    let pair = |one, other| {
        Node::Map(vec![
            ("tls.crt".to_owned(), one),
            ("tls.key".to_owned(), other),
        ])
    };
    let pem = |kind: &str| {
        Node::text(format!(
            "-----BEGIN {kind}-----\nQ0FOQVJZ\n-----END {kind}-----\n"
        ))
    };
    let user = |user, password| Node::Map(vec![("U".to_owned(), user), ("P".to_owned(), password)]);
    vec![
        (
            file("x", FileFormat::Dotenv { edit: false }),
            field("A", Node::text("CANARY'\"")),
        ),
        (
            file("x", FileFormat::Dotenv { edit: true }),
            field("A", Node::text("CANARY\r")),
        ),
        (
            file("x", FileFormat::Dotenv { edit: false }),
            field("A", bytes()),
        ),
        (
            file("x", FileFormat::Json { as_strings: false }),
            field("A", bytes()),
        ),
        (
            file("x", FileFormat::Json { as_strings: false }),
            field("A", Node::Number(CANARY.into())),
        ),
        (file("x", FileFormat::Yaml), field("A", bytes())),
        (
            file("x", FileFormat::Yaml),
            field("A", Node::Number(CANARY.into())),
        ),
        (file("x", FileFormat::Properties), field("A", bytes())),
        (
            file("x", FileFormat::Properties),
            field("A", Node::List(vec![canary()])),
        ),
        (
            file("x", FileFormat::Raw { field: None }),
            field("A", Node::List(vec![canary()])),
        ),
        (files("x"), field("../x", canary())),
        (
            secret("s", SecretKind::from_type("Opaque")),
            field("a b", canary()),
        ),
        (
            secret("s", SecretKind::from_type("Opaque")),
            field("A", Node::text(CANARY.repeat(100_000))),
        ),
        (
            secret("s", SecretKind::from_type("helm.sh/release.v1")),
            field("A", canary()),
        ),
        (secret("s", docker(vec![])), field("A", canary())),
        (
            secret("s", docker(vec![])),
            field("A", Node::text("{\"auths\":{\"r\":{\"auth\":\"CANARY\"}}}")),
        ),
        (
            secret("s", docker(vec![])),
            field("A", Node::text("{\"auths\":{\"CANARY\":7}}")),
        ),
        (
            secret("s", docker(vec![login(None)])),
            user(canary(), canary()),
        ),
        (
            secret("s", docker(vec![login(Some("a b"))])),
            user(canary(), canary()),
        ),
        (
            secret("s", docker(vec![login(None)])),
            user(bytes(), canary()),
        ),
        (secret("s", SecretKind::Tls), pair(canary(), canary())),
        (
            secret("s", SecretKind::Tls),
            pair(pem("CERTIFICATE"), pem("PRIVATE KEY")),
        ),
        (
            secret("s", SecretKind::from_type("kubernetes.io/basic-auth")),
            field("username", canary()),
        ),
        (
            secret("s", SecretKind::from_type("kubernetes.io/ssh-auth")),
            field("ssh-privatekey", canary()),
        ),
    ]
}

#[test]
fn targets_refuse_without_showing_what_they_were_given() {
    for (index, (target, tree)) in refusing().into_iter().enumerate() {
        let mut one = delivery("d", [vault("kv/a")]);
        one.to = vec![target];
        let made = desired_of(&config([one]), &fetched(tree)).remove(0);
        let failure = made.expect_err(&format!("row {index}"));
        assert_clean(&format!("{failure} {failure:?}"));
    }
}

fn leaf() -> impl Strategy<Value = u8> {
    0..6_u8
}

fn node(kind: u8) -> Node {
    match kind {
        0 => Node::text(CANARY),
        1 => Node::Number(CANARY.into()),
        2 => Node::text([CANARY.as_bytes(), b"\0\xff"].concat()),
        3 => Node::List(vec![Node::text(CANARY), Node::Null]),
        4 => Node::Map(vec![("k".to_owned(), Node::text(CANARY))]),
        _ => Node::text(format!(
            "-----BEGIN CERTIFICATE-----\n{CANARY}\n-----END CERTIFICATE-----"
        )),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_shows_a_value(
        kinds in proptest::collection::vec(leaf(), 1..5),
        names in proptest::collection::vec("[A-Za-z_./ ]{1,6}|username|password|tls\\.crt|tls\\.key|auths|ssh-privatekey", 5),
        target in 0..24_usize,
        template in 0..FAILING.len(),
        options in any::<[bool; 6]>(),
    ) {
        let entries = names.iter().zip(&kinds).map(|(name, kind)| (name.clone(), node(*kind)));
        let mut seen = std::collections::BTreeSet::new();
        let entries = entries.filter(|(name, _)| seen.insert(name.clone())).collect();
        let [pick, flatten, encode, compute, twice, empty] = options;
        let mut from = vault("kv/a");
        from.pick = if pick { vec![names[0].clone()] } else { Vec::new() };
        from.flatten = flatten.then(|| "_".to_owned());
        from.encoding = encode.then_some(keyferry::config::Encoding::Json);
        let mut one = delivery("d", [from]);
        if twice {
            one.from.push(vault("kv/a"));
        }
        one.allow_empty = empty;
        if compute {
            one.fields = vec![computed("X", &FAILING[template].replace("T", "fields[\"username\"]"))];
        }
        one.to = vec![refusing().swap_remove(target).0];
        let fetched = fetched(Node::Map(entries));
        if let Err(failure) = render::environment(&one, &fetched) {
            assert_clean(&format!("{failure} {failure:?}"));
        }
        if let Err(failure) = desired_of(&config([one]), &fetched).remove(0) {
            assert_clean(&format!("{failure} {failure:?}"));
        }
    }
}
