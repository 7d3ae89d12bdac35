//! From fetched material to artifacts, through the door every mode uses: `render::desired`.

mod build;
mod canary;
mod edits;
mod formats;
mod readers;

use build::{
    computed, config, delivery, desired_of, file, map, number, raw_secret, secret, text, vault,
};
use keyferry::base::artifact::{Artifact, FileBody};
use keyferry::base::failure::{Class, Failure};
use keyferry::base::material::{Material, Node};
use keyferry::config::{FileFormat, SecretKind, Source, Target};
use keyferry::render;
use keyferry::render::fetched::Fetched;

fn fetched<const N: usize>(answers: [(&str, Result<Node, Failure>); N]) -> Fetched {
    let answers = answers.into_iter();
    Fetched::from_parts(
        answers.map(|(path, answer)| (vault(path).source, answer.map(Material::unversioned))),
    )
}

fn body(artifact: &Artifact) -> String {
    let Artifact::File(file) = artifact else {
        panic!("a file");
    };
    let FileBody::Whole(bytes) = &file.body else {
        panic!("a whole file");
    };
    bytes.expose_str().expect("text").to_owned()
}

#[test]
fn axion_composes_its_urls_percent_encoded() {
    let mut axion = delivery("axion", [vault("kv/axion")]);
    axion.from[0].pick = vec!["PG_PASSWORD".to_owned(), "REDIS_PASSWORD".to_owned()];
    axion.fields = vec![
        computed(
            "DATABASE_URL",
            "postgresql://axion:{{ PG_PASSWORD | urlencode }}@localhost:5436/axion_deployment",
        ),
        computed(
            "REDIS_URL",
            "redis://:{{ REDIS_PASSWORD | urlencode }}@localhost:6379",
        ),
        computed("PORT", "3005"),
    ];
    axion.to = vec![file("out/.env", FileFormat::Dotenv { edit: false })];
    let answers = fetched([(
        "kv/axion",
        Ok(map([
            ("PG_PASSWORD", text("p@ss/w:rd")),
            ("REDIS_PASSWORD", text("r#d")),
        ])),
    )]);
    let made = desired_of(&config([axion]), &answers)
        .remove(0)
        .expect("rendered");
    assert_eq!(
        body(&made[0]),
        "PG_PASSWORD=p@ss/w:rd\n\
         REDIS_PASSWORD='r#d'\n\
         DATABASE_URL=postgresql://axion:p%40ss%2Fw%3Ard@localhost:5436/axion_deployment\n\
         REDIS_URL=redis://:r%23d@localhost:6379\n\
         PORT=3005\n"
    );
}

#[test]
fn a_failed_input_fails_its_delivery_and_no_other() {
    let answers = fetched([
        ("kv/good", Ok(map([("A", text("1"))]))),
        (
            "kv/bad",
            Err(Failure::new(Class::Denied, "permission denied")),
        ),
    ]);
    let mut deliveries = [
        delivery("one", [vault("kv/good"), vault("kv/bad")]),
        delivery("two", [vault("kv/good")]),
    ];
    for delivery in &mut deliveries {
        delivery.to = vec![
            file("x", FileFormat::Yaml),
            secret("s", SecretKind::from_type("Opaque")),
        ];
    }
    let made = desired_of(&config(deliveries), &answers);
    let failure = made[0].as_ref().expect_err("failed");
    assert_eq!(
        (failure.class, failure.what.as_str()),
        (
            Class::Denied,
            "vault `kv/bad` (keyferry.yaml:3:9): permission denied"
        )
    );
    assert_eq!(made[1].as_ref().expect("rendered").len(), 2);
}

#[test]
fn row_2_and_4_a_target_that_cannot_be_made_is_named_and_takes_its_delivery_along() {
    let answers = fetched([("kv/a", Ok(map([("a b", text("1")), ("../x", text("2"))])))]);
    for (target, expected) in [
        (
            file("out/.env", FileFormat::Dotenv { edit: false }),
            "file `out/.env` (keyferry.yaml:9:9): field `a b` is no name of a variable",
        ),
        (
            secret("s", SecretKind::from_type("Opaque")),
            "secret `s` (keyferry.yaml:9:9): these names cannot be keys of a Secret: `../x`, `a b`",
        ),
        (
            build::files("parts"),
            "files `parts` (keyferry.yaml:9:9): unsafe target path: field `../x` cannot be the \
             name of a file",
        ),
        (
            file("x", FileFormat::Raw { field: None }),
            "file `x` (keyferry.yaml:9:9): a raw file takes one field, and there are several: `a \
             b`, `../x`",
        ),
    ] {
        let mut one = delivery("d", [vault("kv/a")]);
        one.to = vec![file("fine", FileFormat::Json { as_strings: false }), target];
        let made = desired_of(&config([one]), &answers).remove(0);
        assert_eq!(made.expect_err("refused").what, expected);
    }
}

#[test]
fn an_empty_answer_blanks_nothing() {
    let gone = || Err(Failure::new(Class::Missing, "absent").absent());
    let answers = fetched([
        ("kv/void", Ok(map([]))),
        ("kv/null", Ok(Node::Null)),
        ("kv/gone", gone()),
    ]);
    let formats = || {
        [
            FileFormat::Dotenv { edit: false },
            FileFormat::Dotenv { edit: true },
            FileFormat::Json { as_strings: false },
            FileFormat::Yaml,
            FileFormat::Properties,
            FileFormat::Raw { field: None },
        ]
    };
    for path in ["kv/void", "kv/null", "kv/gone"] {
        let files = formats().map(|format| file("x", format));
        let others = [
            build::files("x"),
            secret("s", SecretKind::from_type("Opaque")),
            secret("s", SecretKind::Tls),
        ];
        for target in files.into_iter().chain(others) {
            let mut one = delivery("d", [vault(path)]);
            one.from[0].optional = true;
            one.allow_empty = true;
            one.to = vec![target];
            let made = desired_of(&config([one]), &answers).remove(0);
            assert_eq!(made.expect_err(path).class, Class::Missing);
        }
    }
}

#[test]
fn all_fields_become_the_environment_of_a_command() {
    let bytes = &b"\xff\n"[..];
    for (tree, expected) in [
        (
            map([
                ("B", text("x y")),
                ("A", Node::text(bytes)),
                ("N", number("1")),
            ]),
            Ok("B A N"),
        ),
        (
            map([("a-b", text("1"))]),
            Err("field `a-b` is no name of a variable"),
        ),
        (
            map([("A", text("\0"))]),
            Err("field `A` holds a NUL byte, which no environment can carry"),
        ),
        (
            map([("A", text(""))]),
            Err("field `A` of vault `kv/a` (keyferry.yaml:3:9) is empty"),
        ),
        (
            map([("A", map([]))]),
            Err("field `A` of vault `kv/a` (keyferry.yaml:3:9) is a mapping, not one value"),
        ),
    ] {
        let made = render::environment(
            &delivery("d", [vault("kv/a")]),
            &fetched([("kv/a", Ok(tree))]),
        );
        let names = made.map(|made| {
            made.into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(
            names.as_deref().map_err(|failure| failure.what.as_str()),
            expected
        );
    }
}

#[test]
fn the_only_source_of_a_registry_makes_a_pull_secret() {
    let answers = fetched([(
        "kv/data/container-register",
        Ok(map([
            ("username", text("robot")),
            ("password", text("p\"w")),
            ("server", text("cr.example.com")),
        ])),
    )]);
    let mut registry = delivery("registry", [vault("kv/data/container-register")]);
    let mut target = raw_secret(
        "archpad-registry-secret",
        SecretKind::DockerConfigJson {
            registries: Vec::new(),
        },
    );
    target.service_accounts = vec!["default".to_owned()];
    registry.to = vec![Target::Secret(target)];
    let made = desired_of(&config([registry]), &answers)
        .remove(0)
        .expect("rendered");
    let [Artifact::Secret(secret), Artifact::PullSecret(link)] = made.as_slice() else {
        panic!("a Secret and a link");
    };
    assert_eq!(secret.at.to_string(), "platform/archpad-registry-secret");
    assert_eq!(link.account.to_string(), "platform/default");
    let document: serde_json::Value =
        serde_json::from_slice(secret.data[".dockerconfigjson"].expose()).expect("JSON");
    assert_eq!(document["auths"]["cr.example.com"]["password"], "p\"w");
    assert!(matches!(vault("x").source, Source::Vault(_)));
}
