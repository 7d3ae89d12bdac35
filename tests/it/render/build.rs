//! Configurations in a line, as the parser would have made them.

use std::collections::BTreeMap;

use keyferry::base::artifact::{Artifact, ConfigurationName, Conflict, FileAccess};
use keyferry::base::failure::Failure;
use keyferry::base::material::Node;
use keyferry::config::{
    ComputedField, Config, Delivery, FileFormat, FileSetTarget, FileTarget, From, Location,
    SecretKind, SecretRef, SecretTarget, Source, Target, VaultRead,
};
use keyferry::render;
use keyferry::render::fetched::Fetched;

fn at(line: u32, column: u32) -> Location {
    Location {
        file: "keyferry.yaml".to_owned(),
        line,
        column,
    }
}

pub(crate) fn text(text: &str) -> Node {
    Node::text(text)
}

pub(crate) fn number(spelling: &str) -> Node {
    Node::Number(spelling.into())
}

pub(crate) fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    let entries = entries.into_iter();
    Node::Map(entries.map(|(key, node)| (key.to_owned(), node)).collect())
}

pub(crate) fn vault(path: &str) -> From {
    From {
        source: Source::Vault(VaultRead {
            server: "default".to_owned(),
            path: path.to_owned(),
            exact: false,
            version: None,
            write: None,
        }),
        prefix: String::new(),
        pick: Vec::new(),
        rename: Vec::new(),
        overrides: false,
        optional: false,
        encoding: None,
        flatten: None,
        at: at(3, 9),
    }
}

pub(crate) fn delivery<const N: usize>(name: &str, from: [From; N]) -> Delivery {
    Delivery {
        name: name.to_owned(),
        from: from.into(),
        at: at(2, 5),
        ..Delivery::default()
    }
}

pub(crate) fn computed(name: &str, template: &str) -> ComputedField {
    ComputedField {
        name: name.to_owned(),
        template: template.to_owned(),
        base64: false,
        at: at(6, 9),
    }
}

pub(crate) fn file(path: &str, format: FileFormat) -> Target {
    Target::File(FileTarget {
        path: path.into(),
        format,
        access: FileAccess::PRIVATE,
        at: at(9, 9),
    })
}

pub(crate) fn files(dir: &str) -> Target {
    Target::Files(FileSetTarget {
        dir: dir.into(),
        access: FileAccess::PRIVATE,
        at: at(9, 9),
    })
}

pub(crate) fn raw_secret(name: &str, kind: SecretKind) -> SecretTarget {
    SecretTarget {
        at: SecretRef {
            namespace: Some("platform".to_owned()),
            name: name.to_owned(),
        },
        kind,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        conflict: Conflict::default(),
        service_accounts: Vec::new(),
        reflect: None,
        location: at(9, 9),
    }
}

pub(crate) fn secret(name: &str, kind: SecretKind) -> Target {
    Target::Secret(raw_secret(name, kind))
}

pub(crate) fn config<const N: usize>(deliveries: [Delivery; N]) -> Config {
    Config {
        name: ConfigurationName::parse("test"),
        deliveries: deliveries.into(),
        ..Config::default()
    }
}

/// What each delivery became.
pub(crate) fn desired_of(
    config: &Config,
    fetched: &Fetched,
) -> Vec<Result<Vec<Artifact>, Failure>> {
    let now = "2025-01-01T00:00:00Z".parse().expect("a time");
    let desired = render::desired(config, fetched, &Ok("own".to_owned()), now);
    let wanted = desired.deliveries.into_iter();
    wanted.map(|wanted| wanted.artifacts).collect()
}
