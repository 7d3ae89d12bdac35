//! `trace`: shows the configuration, delivery and sources of a Secret, as its marks name them. No
//! value is read.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Ended;
use crate::base::artifact::{ObjectName, Owner};
use crate::base::failure::Failure;
use crate::base::printable;
use crate::base::style::Format;
use crate::copy_rules::annotations::{Ask, Mirror};
use crate::copy_rules::{emberstack, mittwald};
use crate::kubernetes::Kubernetes;
use crate::kubernetes::traced::Traced;
use crate::pass::outcome::Failed;
use crate::process::time_limit::TimeLimit;

/// Looks at one Secret (`NAMESPACE/NAME`, or a name in our own namespace), and shows where it comes
/// from.
pub async fn secret(name: &str, deadline: Duration, format: Format) -> (Ended, String) {
    let time_limit = TimeLimit::Until(Instant::now() + deadline);
    match traced(name, time_limit).await {
        Ok(traced) => (Ended::Well(String::new()), show(&traced, format)),
        Err(failure) => (Ended::Failed(Failed::of_the_run(failure)), String::new()),
    }
}

async fn traced(name: &str, time_limit: TimeLimit) -> Result<Traced, Failure> {
    let cluster: Kubernetes = crate::kubernetes::connect(time_limit).await?;
    let (namespace, name) = name
        .split_once('/')
        .unwrap_or((cluster.namespace.as_str(), name));
    let at = ObjectName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    Ok(cluster.traced(&at).await?)
}

fn show(traced: &Traced, format: Format) -> String {
    match format {
        Format::Text => text(traced),
        Format::Json => format!("{:#}\n", document(traced)),
    }
}

fn text(traced: &Traced) -> String {
    let mut out = format!("secret {}\n", traced.at);
    // Others can write annotations too.
    let mut line = |what: &str, text: &str| {
        let _ = writeln!(out, "  {what:<15}{}", printable::line(text));
    };
    match &traced.owner {
        Owner::Configuration(name) => line("configuration", name),
        Owner::Stranger => line("not ours", &format!("it {}", traced.owner)),
        Owner::Unnamed => {
            line(
                "configuration",
                "not named: the first that describes it takes it over",
            );
        }
        Owner::Reflector => {
            let copy = copy_of(traced);
            let source = copy.as_ref().and_then(|copy| copy.source.as_ref());
            let source = source.map_or("a source that it does not name".to_owned(), |at| {
                format!("secret {at}")
            });
            let holds = copy.map(|copy| copy.holds.to_string()).unwrap_or_default();
            let text = format!("{source}, at or after version {holds}");
            line("copy of", text.trim_end_matches(", at or after version "));
        }
    }
    if let Some(delivery) = &traced.delivery {
        line("delivery", delivery);
    }
    if let Some(home) = &traced.declared_of {
        line("copy of", home);
    }
    for source in traced.sources.iter().flatten() {
        line("source", &source.to_string());
    }
    let told = traced.sources.as_ref().is_some_and(Vec::is_empty);
    if told {
        line(
            "source",
            "none: every field is written in the configuration",
        );
    }
    if let Some(written) = &traced.written {
        line("written", written);
    }
    if traced.owner == Owner::Stranger {
        line("managed by", &traced.managers.join(", "));
    }
    out
}

fn document(traced: &Traced) -> Value {
    let (owner, configuration) = match &traced.owner {
        Owner::Configuration(name) => ("configuration", Some(name)),
        Owner::Unnamed => ("unnamed", None),
        Owner::Reflector => ("reflector", None),
        Owner::Stranger => ("none", None),
    };
    let copy = (traced.owner == Owner::Reflector)
        .then(|| copy_of(traced))
        .flatten();
    let copy = copy.map(|copy| {
        let at = copy
            .source
            .map(|at| json!({"namespace": *at.namespace, "name": *at.name}));
        json!({"source": at, "version": copy.holds.to_string()})
    });
    json!({
        "kind": "Secret",
        "namespace": traced.at.namespace,
        "name": traced.at.name,
        "uid": traced.uid,
        "resourceVersion": traced.version,
        "owner": owner,
        "configuration": configuration,
        "delivery": traced.delivery,
        "sources": traced.sources,
        "reflectedFrom": traced.declared_of,
        "copyOf": copy,
        "written": traced.written,
        "managers": traced.managers,
    })
}

/// The source of a copy that the reflector made, in whichever dialect its marks are.
fn copy_of(traced: &Traced) -> Option<Mirror> {
    let mirror = |ask: Ask| match ask {
        Ask::Copy(mirror) | Ask::Mirror(mirror) => Some(mirror),
        Ask::Nothing | Ask::Offer | Ask::Declared => None,
    };
    mirror(emberstack::read(&traced.notes)).or_else(|| mirror(mittwald::read(&traced.notes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::artifact::SourceVersion;
    use crate::copy_rules::metadata::Notes;

    fn traced(owner: Owner) -> Traced {
        Traced {
            at: ObjectName {
                namespace: "platform".to_owned(),
                name: "db".to_owned(),
            },
            uid: "u".to_owned(),
            version: "9".to_owned(),
            owner,
            delivery: None,
            sources: None,
            declared_of: None,
            written: None,
            managers: vec!["helm".to_owned(), "kubectl".to_owned()],
            notes: Notes::default(),
        }
    }

    #[test]
    fn row_110_a_trace_says_what_the_object_says() {
        let named = || traced(Owner::Configuration("shop".to_owned()));
        let source = SourceVersion {
            source: "vault kv/app".to_owned(),
            version: Some("7".to_owned()),
            pinned: false,
        };
        let whole = Traced {
            delivery: Some("app\n\u{1b}[2J".to_owned()),
            sources: Some(vec![source]),
            declared_of: Some("home/db".to_owned()),
            written: Some("2026-01-02T03:04:05Z".to_owned()),
            ..named()
        };
        let fixed = Traced {
            sources: Some(Vec::new()),
            ..named()
        };
        let notes = [
            ("reflector.v1.k8s.emberstack.com/reflects", "home/x"),
            ("reflector.v1.k8s.emberstack.com/auto-reflects", "True"),
            ("reflector.v1.k8s.emberstack.com/reflected-version", "41"),
        ];
        let copy = Traced {
            notes: Notes::from_pairs(notes),
            ..traced(Owner::Reflector)
        };
        for (traced, want) in [
            (
                whole,
                "  configuration  shop\n  delivery       app\\n\\u001b[2J\n  copy of        home/db\n  \
                 source         vault kv/app, at or after version 7\n  written        2026-01-02T03:04:05Z\n",
            ),
            (
                fixed,
                "  configuration  shop\n  source         none: every field is written in the \
                 configuration\n",
            ),
            (
                traced(Owner::Unnamed),
                "  configuration  not named: the first that describes it takes it over\n",
            ),
            (
                traced(Owner::Stranger),
                "  not ours       it has no owner mark (`app.kubernetes.io/managed-by: keyferry`)\n  \
                 managed by     helm, kubectl\n",
            ),
            (
                copy,
                "  copy of        secret home/x, at or after version 41\n",
            ),
        ] {
            assert_eq!(text(&traced), format!("secret platform/db\n{want}"));
        }
    }
}
