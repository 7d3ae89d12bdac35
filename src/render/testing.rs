//! Helpers for the tests of this module: trees, sources and deliveries in one line each.

use std::sync::Arc;

use crate::base::artifact::{ConfigurationName, Provenance, SourceVersion};
use crate::base::failure::Failure;
use crate::base::material::{Material, Node};
use crate::config::{ComputedField, Delivery, From, Location, Source, VaultRead};
use crate::render::fetched::Fetched;

use super::field::{Field, FieldOrigin, Fields, HeldValue};

/// The provenance of a configuration `test` with a delivery `app` of one source.
pub(crate) fn provenance() -> Arc<Provenance> {
    Arc::new(Provenance {
        configuration: ConfigurationName::parse("test").expect("a name"),
        delivery: "app".to_owned(),
        sources: vec![SourceVersion {
            source: "vault kv/app".to_owned(),
            version: Some("7".to_owned()),
            pinned: false,
        }],
    })
}

pub(crate) fn at(line: u32) -> Location {
    Location {
        file: "k.yaml".to_owned(),
        line,
        column: 1,
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

pub(crate) fn list<const N: usize>(items: [Node; N]) -> Node {
    Node::List(items.into())
}

pub(crate) fn source(path: &str) -> Source {
    Source::Vault(VaultRead {
        server: "default".to_owned(),
        path: path.to_owned(),
        exact: false,
        version: None,
        write: None,
    })
}

/// A source without any option, at this line of the configuration.
pub(crate) fn from(path: &str, line: u32) -> From {
    From {
        source: source(path),
        prefix: String::new(),
        pick: Vec::new(),
        rename: Vec::new(),
        overrides: false,
        optional: false,
        encoding: None,
        flatten: None,
        at: at(line),
    }
}

pub(crate) fn picking<const N: usize>(path: &str, line: u32, pick: [&str; N]) -> From {
    From {
        pick: pick.map(str::to_owned).into(),
        ..from(path, line)
    }
}

pub(crate) fn delivery<const N: usize>(from: [From; N]) -> Delivery {
    Delivery {
        name: "d".to_owned(),
        from: from.into(),
        at: at(1),
        ..Delivery::default()
    }
}

pub(crate) fn computed(name: &str, template: &str, line: u32) -> ComputedField {
    ComputedField {
        name: name.to_owned(),
        template: template.to_owned(),
        base64: false,
        at: at(line),
    }
}

pub(crate) fn fetched<const N: usize>(answers: [(&str, Result<Node, Failure>); N]) -> Fetched {
    Fetched::from_parts(
        answers.map(|(path, answer)| (source(path), answer.map(Material::unversioned))),
    )
}

/// Fields in the form of a merge's result.
pub(super) fn fields<const N: usize>(entries: [(&str, Node); N]) -> Fields<'static> {
    let origin = std::rc::Rc::new(FieldOrigin {
        label: "vault `kv/a`".to_owned(),
        at: at(2),
    });
    let field = |(name, node): (&str, Node)| Field {
        name: name.to_owned(),
        value: HeldValue::Made(node),
        picked: false,
        merge_keys: false,
        origin: origin.clone(),
    };
    Fields {
        list: entries.into_iter().map(field).collect(),
        allow_empty: false,
    }
}
