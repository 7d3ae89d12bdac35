//! What two outputs may share, and what they may not.

use super::*;
use crate::base::artifact::{
    Conflict, EnvLine, FileAccess, FileArtifact, FileSetArtifact, SecretArtifact, Variables,
};
use crate::base::observed::Observed;
use crate::plan::{Action, plan};
use crate::render::testing::provenance;

/// `folders` from the deepest up; `rest` beneath it.
fn place(folders: &[u64], rest: &[&str]) -> Option<FilePlace> {
    Some(FilePlace {
        folders: folders.iter().map(|inode| (1, *inode)).collect(),
        rest: rest.iter().map(Into::into).collect(),
    })
}

fn file(name: &str, body: FileBody) -> Artifact {
    Artifact::of_file(FileArtifact {
        path: name.into(),
        body,
        variables: Variables::Opaque,
        access: FileAccess::PRIVATE,
    })
}

fn whole(name: &str) -> Artifact {
    file(name, FileBody::Whole("x".into()))
}

fn edits(name: &str, variables: &[&str]) -> Artifact {
    let line = |name: &&str| EnvLine {
        name: (*name).to_owned(),
        value: "x".into(),
        line: format!("{name}=x").into(),
    };
    file(name, FileBody::Lines(variables.iter().map(line).collect()))
}

fn set(name: &str) -> Artifact {
    Artifact::of_set(FileSetArtifact {
        dir: name.into(),
        files: BTreeMap::new(),
        access: FileAccess::PRIVATE,
    })
}

fn secret(namespace: &str, name: &str) -> Artifact {
    Artifact::Secret(SecretArtifact {
        at: ObjectName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        kind: "Opaque".to_owned(),
        data: BTreeMap::new(),
        provenance: provenance(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        conflict: Conflict::default(),
    })
}

/// Why both deliveries are refused; nothing if they may exist together.
fn refused(pair: [(Artifact, Option<FilePlace>); 2]) -> Option<String> {
    let mut deliveries = Vec::new();
    let mut observed = Vec::new();
    for (name, (artifact, place)) in ["one", "two"].into_iter().zip(pair) {
        let state = Observed::Absent;
        deliveries.push(Wanted {
            delivery: name.to_owned(),
            artifacts: Ok(vec![artifact]),
        });
        observed.push(vec![SeenArtifact { state, place }]);
    }
    let plan = plan(Desired { deliveries }, observed);
    let actions = plan.deliveries.iter().map(|delivery| {
        let steps = delivery.steps.as_ref().expect("known");
        steps[0].action.clone()
    });
    match actions.collect::<Vec<_>>().as_slice() {
        [Action::Create, Action::Create] => None,
        [Action::Refuse(first), Action::Refuse(second)] => {
            assert_eq!(
                (first.class, second.class),
                (Class::Configuration, Class::Configuration)
            );
            assert!(
                first.what.contains("of `two`") && second.what.contains("of `one`"),
                "{first} and {second}"
            );
            let (what, _) = first.what.split_once(" is the target of two outputs")?;
            Some(what.to_owned())
        }
        others => panic!("{others:?}"),
    }
}

#[test]
fn row_03_two_outputs_that_share_something_are_both_refused() {
    let real = |name| place(&[7, 2], &[name]);
    let rows = [
        // A place is known by its folder, however a path is spelt.
        (
            (whole("real/x.env"), real("x.env")),
            (whole("link/x.env"), real("x.env")),
            Some("file link/x.env"),
        ),
        (
            (whole("real/x.env"), real("x.env")),
            (whole("real/y.env"), real("y.env")),
            None,
        ),
        (
            (whole("a/x.env"), place(&[7, 2], &["x.env"])),
            (whole("b/x.env"), place(&[8, 2], &["x.env"])),
            None,
        ),
        // Two editors may share a file, but not a variable.
        (
            (edits("a.env", &["A", "B"]), real("a.env")),
            (edits("./a.env", &["C", "B"]), real("a.env")),
            Some("variable `B` of file ./a.env"),
        ),
        (
            (edits("a.env", &["A"]), real("a.env")),
            (edits("a.env", &["B"]), real("a.env")),
            None,
        ),
        (
            (edits("a.env", &["A"]), real("a.env")),
            (whole("link/a.env"), real("a.env")),
            Some("file link/a.env"),
        ),
        // A set owns its folder and everything beneath it.
        (
            (set("set"), place(&[9, 2], &[])),
            (whole("link/x"), place(&[9, 2], &["x"])),
            Some("file link/x"),
        ),
        (
            (set("set"), place(&[9, 2], &[])),
            (set("link/y"), place(&[10, 9, 2], &[])),
            Some("files link/y"),
        ),
        (
            (set("new"), place(&[2], &["new"])),
            (set("link/new/y"), place(&[2], &["new", "y"])),
            Some("files link/new/y"),
        ),
        (
            (set("new"), place(&[2], &["new"])),
            (set("newer"), place(&[2], &["newer"])),
            None,
        ),
        // A namespace that was left out is known by now.
        (
            (secret("default", "s"), None),
            (secret("default", "s"), None),
            Some("secret default/s"),
        ),
        (
            (secret("default", "s"), None),
            (secret("other", "s"), None),
            None,
        ),
    ];
    for (first, second, want) in rows {
        let names = format!("{} and {}", first.0, second.0);
        assert_eq!(refused([first, second]).as_deref(), want, "{names}");
    }
}

#[test]
fn row_03_one_delivery_cannot_hit_itself_either() {
    let artifacts = vec![whole("a/x"), whole("b/x")];
    let place = place(&[2], &["x"]);
    let seen = || SeenArtifact {
        state: Observed::Absent,
        place: place.clone(),
    };
    let desired = Desired {
        deliveries: vec![Wanted {
            delivery: "one".to_owned(),
            artifacts: Ok(artifacts),
        }],
    };
    let shared = Claims::default().enter(&desired, &[vec![seen(), seen()]]);
    assert_eq!(shared.len(), 2);
    let what = &shared[&(0, 0)].what;
    assert!(
        what.ends_with("the other is file b/x of the same delivery"),
        "{what}"
    );
}

#[test]
fn row_03_what_comes_apart_and_could_not_be_foreseen_is_refused_the_second_time() {
    let claims = Claims::default();
    for (delivery, name, want) in [("one", "s", 0), ("two", "t", 0), ("three", "s", 1)] {
        let wanted = Wanted {
            delivery: delivery.to_owned(),
            artifacts: Ok(vec![secret("n", name)]),
        };
        let group = Desired {
            deliveries: vec![wanted],
        };
        let seen = SeenArtifact {
            state: Observed::Absent,
            place: None,
        };
        let refused = claims.enter(&group, &[vec![seen]]);
        assert_eq!(refused.len(), want, "{delivery}");
        let right = |failure: &Failure| failure.what.ends_with("the other is secret n/s of `one`");
        assert!(refused.values().all(right), "{refused:?}");
    }
}

#[test]
fn row_188_many_outputs_are_looked_up_and_not_paired() {
    // Comparing all pairs would be two thousand million steps: this test would not end.
    let many = 64 * 1024;
    let names: Vec<String> = (0..many).map(|number| format!("{number}.env")).collect();
    let deliveries = names.iter().map(|name| Wanted {
        delivery: name.clone(),
        artifacts: Ok(vec![whole(name)]),
    });
    let mut deliveries: Vec<Wanted> = deliveries.collect();
    let mut observed: Vec<Vec<SeenArtifact>> = names
        .iter()
        .map(|name| {
            vec![SeenArtifact {
                state: Observed::Absent,
                place: place(&[7, 2], &[name]),
            }]
        })
        .collect();
    let refused = |deliveries: Vec<Wanted>, observed: &[Vec<SeenArtifact>]| {
        let group = Desired { deliveries };
        Claims::default().enter(&group, observed).len()
    };
    deliveries.push(Wanted {
        delivery: "all".to_owned(),
        artifacts: Ok(vec![set("folder")]),
    });
    observed.push(vec![SeenArtifact {
        state: Observed::Absent,
        place: place(&[7, 2], &[]),
    }]);
    assert_eq!(refused(deliveries, &observed), many + 1);
}
