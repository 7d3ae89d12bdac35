use super::*;
use crate::base::artifact::Desired;
use crate::base::artifact::MARK;
use crate::config::Config;
use crate::config::{Location, SecretKind, SecretRef};
use crate::copy_rules::glob::Glob;
use crate::copy_rules::metadata::Notes;
use crate::copy_rules::selector::Selector;
use crate::render::testing::provenance;

fn reflect(namespaces: &str, selector: &str) -> Reflect {
    let globs = namespaces.split_whitespace();
    Reflect {
        namespaces: globs
            .map(|glob| Glob::parse(glob).expect("a glob"))
            .collect(),
        selector: (!selector.is_empty()).then(|| Selector::parse(selector).expect("a selector")),
        rename: None,
        pick: Vec::new(),
        labels: BTreeMap::new(),
        home: true,
        prune: false,
    }
}

fn config(reflects: Vec<Reflect>) -> Config {
    let target = |reflect: Reflect| {
        Target::Secret(SecretTarget {
            at: SecretRef {
                namespace: Some("home".to_owned()),
                name: "app".to_owned(),
            },
            kind: SecretKind::from_type("Opaque"),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            immutable: false,
            conflict: Conflict::default(),
            service_accounts: vec!["default".to_owned()],
            reflect: Some(reflect),
            location: Location::default(),
        })
    };
    let delivery = |(number, reflect): (usize, Reflect)| Delivery {
        name: format!("d{number}"),
        to: vec![target(reflect)],
        ..Delivery::default()
    };
    Config {
        deliveries: reflects.into_iter().enumerate().map(delivery).collect(),
        ..Config::default()
    }
}

fn desired(config: &Config) -> Desired {
    let secret = |name: &str| SecretArtifact {
        at: ObjectName {
            namespace: "home".to_owned(),
            name: name.to_owned(),
        },
        kind: "Opaque".to_owned(),
        data: ["a", "b"]
            .map(|key| (key.to_owned(), SecretBytes::from(key)))
            .into(),
        provenance: provenance(),
        labels: [("team".to_owned(), "x".to_owned())].into(),
        annotations: [("note".to_owned(), "x".to_owned())].into(),
        immutable: false,
        conflict: Conflict {
            adopt: true,
            recreate: true,
            force: false,
        },
    };
    let link = crate::base::artifact::PullSecretLink {
        account: secret("default").at,
        secret: "app".to_owned(),
    };
    let deliveries = config.deliveries.iter().enumerate();
    Desired {
        deliveries: deliveries
            .map(|(number, delivery)| Wanted {
                delivery: delivery.name.clone(),
                artifacts: Ok(vec![
                    Artifact::Secret(secret(if number == 0 { "app" } else { "other" })),
                    Artifact::PullSecret(link.clone()),
                ]),
            })
            .collect(),
    }
}

fn cluster() -> Result<Vec<NamespaceMetadata>, Failure> {
    let namespace = |(name, labels, notes, ending): (&str, &str, &str, bool)| NamespaceMetadata {
        name: name.to_owned(),
        labels: labels
            .split_once('=')
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        notes: Notes::from_pairs(notes.split_once('=')),
        ending,
        ..NamespaceMetadata::default()
    };
    Ok([
        ("home", "pull=yes", "", false),
        ("team-a", "pull=yes", "", false),
        ("team-b", "", "", false),
        ("team-c", "pull=yes", "keyferry.io/accept=false", false),
        ("team-d", "pull=yes", "", true),
        ("other", "pull=yes", "", false),
    ]
    .map(namespace)
    .into())
}

fn expanded(config: &Config, namespaces: &Result<Vec<NamespaceMetadata>, Failure>) -> Vec<Wanted> {
    let wanted = desired(config).deliveries.into_iter();
    let each = wanted.zip(&config.deliveries);
    each.map(|(wanted, delivery)| expand(delivery, wanted, namespaces))
        .collect()
}

/// The resulting places, or the failure.
fn places(config: &Config, namespaces: &Result<Vec<NamespaceMetadata>, Failure>) -> String {
    let expanded = expanded(config, namespaces);
    let each = expanded.iter().map(|wanted| match &wanted.artifacts {
        Ok(artifacts) => artifacts
            .iter()
            .map(|artifact| match artifact {
                Artifact::Secret(secret) => secret.at.to_string(),
                Artifact::File(_)
                | Artifact::FileSet(_)
                | Artifact::PullSecret(_)
                | Artifact::Leftover(_) => {
                    format!("({artifact})")
                }
            })
            .collect::<Vec<_>>()
            .join(" "),
        Err(failure) => failure.what.clone(),
    });
    each.collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_secret_is_copied_where_it_is_meant_to_be() {
    let home = "home/app (serviceaccount home/default)";
    for (namespaces, selector, expected) in [
        ("team-a", "", "team-a/app"),
        ("no-such home", "", "no-such/app"),
        ("team-*", "", "team-a/app team-b/app"),
        ("team-*", "pull=yes", "team-a/app"),
        ("*", "pull=yes", "other/app team-a/app"),
        ("team-?", "pull!=yes", "team-b/app"),
        ("nothing-*", "", ""),
    ] {
        let config = config(vec![reflect(namespaces, selector)]);
        let expected = format!("{home} {expected}");
        assert_eq!(
            places(&config, &cluster()),
            expected.trim(),
            "{namespaces} {selector}"
        );
    }
}

#[test]
fn plain_names_ask_no_cluster() {
    let unknown = Err(Failure::new(Class::Denied, "namespaces may not be listed"));
    let named = config(vec![reflect("team-a", "")]);
    assert!(!needs_namespaces(&named.deliveries[0]));
    assert!(places(&named, &unknown).ends_with("team-a/app"));
    let globbed = config(vec![reflect("team-*", "")]);
    assert!(needs_namespaces(&globbed.deliveries[0]));
    assert_eq!(places(&globbed, &unknown), "namespaces may not be listed");
}

#[test]
fn a_copy_has_what_was_picked_and_none_of_its_homes_metadata() {
    let mut config = config(vec![Reflect {
        rename: Some("theirs".to_owned()),
        pick: vec!["b".to_owned()],
        labels: [("for".to_owned(), "you".to_owned())].into(),
        home: false,
        ..reflect("team-a", "")
    }]);
    let expanded = expanded(&config, &cluster());
    let artifacts = expanded[0].artifacts.as_ref().expect("made");
    let [Artifact::Secret(copy)] = &artifacts[..] else {
        panic!("only the copy: {artifacts:?}")
    };
    assert_eq!(copy.at.to_string(), "team-a/theirs");
    assert_eq!(copy.data.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(copy.labels.keys().collect::<Vec<_>>(), ["for"]);
    assert_eq!(copy.annotations[marks::DECLARED], "delivery d0");
    assert!(!copy.conflict.adopt && copy.conflict.recreate);
    assert!(
        !copy.labels.contains_key(MARK),
        "the mark is set where it is written"
    );

    let Target::Secret(secret) = &mut config.deliveries[0].to[0] else {
        panic!("a Secret")
    };
    secret.reflect.as_mut().expect("copies").pick = vec!["c".to_owned()];
    assert_eq!(
        places(&config, &cluster()),
        "secret home/app: its copies pick key \"c\", which it has not"
    );
}

#[test]
fn copies_are_known_again_by_their_home_or_their_delivery() {
    for (home, prune, expected) in [
        (true, true, &["home/app"][..]),
        (false, true, &["delivery d0"]),
        (true, false, &[]),
    ] {
        let reflect = Reflect {
            home,
            prune,
            ..reflect("a", "")
        };
        let config = config(vec![reflect]);
        let pruned = pruned(&config.deliveries[0], "own");
        assert_eq!(pruned.into_iter().collect::<Vec<_>>(), expected);
    }
}
