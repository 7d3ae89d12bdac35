//! The index on a small model of a cluster: what is done, in which order, and that it ends.

mod brakes;
mod forecast;
mod forged;
mod laws;
mod model;
mod reserved;
mod stale;
mod taken;

use super::super::marks;
use super::super::metadata::{NamespaceMetadata, Notes};
use model::{GIVES, Model, rules};

fn to(namespaces: &str) -> String {
    format!("{GIVES};reflection-allowed-namespaces={namespaces}")
}

#[test]
fn copies_are_made_kept_and_taken_away_with_their_reason() {
    let mut model = Model::new(rules(), "a b c kube-system");
    model.put("a/x", &to("b,kube-system"), "1");
    assert_eq!(model.done(), "create b/x (new)");
    model.put("a/x", &to("b,c"), "1");
    assert_eq!(model.done(), "create c/x (new)");
    model.put("a/x", &to("b,c"), "2");
    assert_eq!(
        model.done(),
        "update b/x (its source changed), update c/x (its source changed)"
    );
    model.put("a/x", &to("c"), "2");
    assert_eq!(
        model.done(),
        "delete b/x (its source no longer gives to this namespace)"
    );
    model.delete("a/x");
    assert_eq!(model.done(), "delete c/x (its source is gone)");
    assert_eq!(model.objects.len(), 0);
}

#[test]
fn nothing_is_written_when_only_metadata_of_the_source_changed() {
    let mut model = Model::new(rules(), "a b");
    model.put("a/x", GIVES, "1");
    model.settle();
    for _ in 0..3 {
        model.put("a/x", &format!("{GIVES};other=word"), "1");
        assert_eq!(model.done(), "");
    }
    model.put("a/x", GIVES, "2");
    assert_eq!(model.done(), "update b/x (its source changed)");
}

#[test]
fn row_78_edited_emptied_and_deleted_copies_are_put_right() {
    let mut model = Model::new(rules(), "a b");
    model.put("a/x", GIVES, "1");
    model.settle();
    model.edit("b/x", |copy| {
        (copy.data, copy.writer) = ("wrong".to_owned(), "kubectl")
    });
    assert_eq!(model.done(), "compare b/x, update b/x (it was edited)");
    model.delete("b/x");
    assert_eq!(model.later(60), "create b/x (it was deleted)");
    model.edit("b/x", |copy| copy.writer = "kubectl");
    assert_eq!(
        model.later(60),
        "compare b/x",
        "same content under another name is no reason to write"
    );
    model.edit("b/x", |copy| {
        copy.notes
            .insert("other".to_owned(), "x".to_owned())
            .map_or((), |_| ())
    });
    assert_eq!(model.later(60), "", "nor is an annotation of somebody else");
    assert_eq!(model.copies(), "b/x=1");
}

#[test]
fn who_undoes_our_repairs_is_met_ever_more_slowly() {
    let mut model = Model::new(rules(), "a b");
    model.put("a/x", GIVES, "1");
    model.settle();
    let mut repairs = 0;
    for _ in 0..600 {
        if model.copies() == "b/x=1" {
            model.edit("b/x", |copy| {
                (copy.data, copy.writer) = ("wrong".to_owned(), "argocd")
            });
        }
        repairs += usize::from(model.later(1).contains("update"));
    }
    assert!((5..20).contains(&repairs), "{repairs} in ten minutes");
}

#[test]
fn a_new_process_writes_nothing_where_all_is_well() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.settle();
    model.restart(rules());
    assert_eq!(model.log.join(", "), "", "no write, and no copy is read");
    model.edit("b/x", |copy| {
        (copy.data, copy.writer) = ("wrong".to_owned(), "kubectl")
    });
    model.restart(rules());
    assert_eq!(
        model.log.join(", "),
        "compare b/x, update b/x (it was edited)"
    );
    model.put("a/x", GIVES, "2");
    model.restart(rules());
    assert_eq!(model.copies(), "b/x=2 c/x=2");
}

#[test]
fn row_74_what_happened_while_we_were_down_is_made_good() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.put("a/y", &to("b"), "1");
    model.settle();
    model.objects.remove(&model::place("a/x"));
    model.restart(rules());
    assert_eq!(
        model.log.join(", "),
        "delete b/x (its source is gone), delete c/x (its source is gone)"
    );
    model.put("a/z", GIVES, "1");
    model.settle();
    model.objects.remove(&model::place("a/z"));
    model.put("a/z", GIVES, "1");
    model.restart(rules());
    model.log.sort();
    assert_eq!(
        model.log.join(", "),
        "update b/z (it has another source now), update c/z (it has another source now)",
        "made again with another uid"
    );
}

#[test]
fn strangers_are_left_alone_until_they_go() {
    let mut model = Model::new(rules(), "a b");
    model.put("b/x", "", "theirs");
    model.put("a/x", GIVES, "1");
    assert_eq!(model.done(), "refused b/x");
    assert_eq!(model.told, ["a/x: b/x Foreign"]);
    assert_eq!(model.later(3600), "", "nobody knocks twice");
    model.put("b/x", "", "theirs, changed");
    assert_eq!(model.later(3600), "", "it is still a stranger");
    model.delete("b/x");
    assert_eq!(model.later(1), "create b/x (new)");
}

#[test]
fn row_76_no_loops_no_chains() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.put("b/x", GIVES, "2");
    model.settle();
    assert_eq!(
        model.copies(),
        "c/x=1",
        "the older one; neither is copied over the other"
    );
    assert!(
        model.told.contains(&"a/x: b/x Occupied".to_owned()),
        "{:?}",
        model.told
    );
    model.edit("c/x", |copy| copy.notes.extend(model::said(GIVES)));
    for _ in 0..3 {
        assert_eq!(
            model.later(60),
            "",
            "a copy with a source's words is still a copy"
        );
    }
}

#[test]
fn labels_of_namespaces_decide_as_they_change() {
    let mut model = Model::new(rules(), "a");
    model.namespace("b", "env=prod");
    model.put(
        "a/x",
        &format!("{GIVES};reflection-auto-namespaces-selector=env=prod"),
        "1",
    );
    assert_eq!(model.done(), "create b/x (new)");
    model.namespace("c", "env=prod");
    assert_eq!(model.done(), "create c/x (new)");
    model.namespace("b", "env=dev");
    assert_eq!(
        model.done(),
        "delete b/x (its source no longer gives to this namespace)"
    );
}

#[test]
fn ending_namespaces_are_left_to_end() {
    let mut model = Model::new(rules(), "a b");
    model.put("a/x", GIVES, "1");
    model.settle();
    let ending = NamespaceMetadata {
        name: "b".to_owned(),
        ending: true,
        ..NamespaceMetadata::default()
    };
    model.put_namespace(ending);
    model.delete("b/x");
    assert_eq!(model.done(), "", "nothing is put back into it");
}

#[test]
fn a_target_may_refuse() {
    let mut model = Model::new(rules(), "a b");
    model.put("a/x", GIVES, "1");
    model.put("a/y", GIVES, "1");
    model.settle();
    model.edit("b/y", |copy| copy.notes.extend(model::said("accept=false")));
    model.put("a/y", GIVES, "2");
    assert_eq!(model.done(), "", "the copy says no");
    assert!(
        model.told.contains(&"a/y: b/y Declined".to_owned()),
        "{:?}",
        model.told
    );
    let declining = NamespaceMetadata {
        name: "b".to_owned(),
        notes: Notes::from_pairs([(marks::ACCEPT, "false")]),
        ..NamespaceMetadata::default()
    };
    model.put_namespace(declining);
    assert_eq!(model.done(), "delete b/x (the namespace accepts no copies)");
}

#[test]
fn mirrors_are_filled_and_never_taken_away() {
    let mut model = Model::new(rules(), "a");
    model.namespace("b", "env=prod");
    model.put(
        "a/x",
        "reflection-allowed=true;reflection-allowed-namespaces-selector=env=prod",
        "1",
    );
    model.put("b/own", "reflects=a/x", "");
    assert_eq!(model.done(), "compare b/own, fill b/own (new)");
    model.put(
        "a/x",
        "reflection-allowed=true;reflection-allowed-namespaces-selector=env=prod",
        "2",
    );
    assert_eq!(model.done(), "fill b/own (its source changed)");
    model.namespace("b", "env=dev");
    model.put(
        "a/x",
        "reflection-allowed=true;reflection-allowed-namespaces-selector=env=prod",
        "3",
    );
    assert_eq!(model.done(), "", "A12: kept, and no longer updated");
    assert_eq!(model.told, ["b/own: b/own Denied"]);
    model.delete("a/x");
    assert_eq!(model.done(), "", "and its data stays when the source goes");
    assert_eq!(model.objects[&model::place("b/own")].data, "2");
}

#[test]
fn a_mirror_of_the_same_name_is_its_owners() {
    let mut model = Model::new(rules(), "a b");
    model.put("b/x", "reflects=a/x;auto-reflects=False", "theirs");
    model.put("a/x", &to("c"), "1");
    model.settle();
    assert_eq!(
        model.objects[&model::place("b/x")].data,
        "theirs",
        "A18: not permitted, kept"
    );
    assert!(
        model.told.contains(&"b/x: b/x Denied".to_owned()),
        "{:?}",
        model.told
    );
    model.put("a/x", GIVES, "1");
    assert_eq!(
        model.done(),
        "compare b/x, fill b/x (new)",
        "filled as what it is, and not made a copy"
    );
}

#[test]
fn mirrors_of_nothing_of_themselves_and_of_each_other_rest() {
    let mut model = Model::new(rules(), "a b");
    for (at, of) in [
        ("a/one", "b/two"),
        ("b/two", "a/one"),
        ("a/self", "a/self"),
        ("a/none", "none"),
        ("b/lost", "a/lost"),
    ] {
        model.put(at, &format!("reflects={of};{GIVES}"), "1");
    }
    assert_eq!(model.done(), "");
    let refusals = model.index.refusals();
    assert_eq!(
        (refusals["NoSource"], refusals["Denied"]),
        (4, 1),
        "{refusals:?}"
    );
}

#[test]
fn copies_of_the_original_are_taken_over_and_left_when_told_so() {
    let theirs = "reflects=a/x;auto-reflects=True;reflected-version=1";
    for (adopt, expected) in [
        (true, "adopt b/x (adopted: another controller made it)"),
        (false, ""),
    ] {
        let mut model = Model::new(super::Rules { adopt, ..rules() }, "a b c");
        model.put("a/x", &to("b"), "1");
        model.put("b/x", theirs, "1");
        model.put("c/x", theirs, "1");
        assert_eq!(model.done(), expected);
        assert!(
            model.objects.contains_key(&model::place("c/x")),
            "without our mark nothing is deleted"
        );
    }
}

#[test]
fn what_lies_outside_the_ceilings_is_not_looked_at() {
    let mut model = Model::new(rules(), "a b kube-system");
    model.put("a/x", GIVES, "1");
    model.put("kube-system/y", GIVES, "1");
    model.settle();
    assert_eq!(model.copies(), "a/y=1 b/x=1 b/y=1");
    let mut narrow = rules();
    let more = super::super::glob::Glob::parse("b").expect("a glob");
    narrow.targets.exclude.push(more);
    model.restart(narrow);
    assert_eq!(model.log.join(", "), "", "neither kept right nor deleted");
}

#[test]
fn row_75_too_many_deletions_are_held_until_a_person_releases_them() {
    let mut model = Model::new(rules(), "a b c d e f");
    model.put("a/x", GIVES, "1");
    model.settle();
    model.put("a/x", "reflection-allowed=true", "1");
    assert_eq!(model.done(), "");
    assert_eq!(
        (model.index.held(), model.told.len()),
        (5, 5),
        "{:?}",
        model.told
    );
    assert_eq!(model.later(3600), "");
    model.restart(rules());
    assert_eq!(model.log.join(", "), "", "nor does a restart release them");
    model.order(marks::RELEASE, "secret/a/x:4");
    assert_eq!(model.done(), "", "not so many");
    model.order(marks::RELEASE, "secret/a/y:5");
    assert_eq!(model.done(), "", "not this source");
    model.order(marks::RELEASE, "secret/a/x:5");
    assert_eq!(model.done().matches("delete").count(), 5);
}

#[test]
fn an_unreadable_annotation_freezes_what_is_there() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", &to("b"), "1");
    model.put("a/y", &to("b"), "1");
    model.settle();
    model.put("a/x", &to("("), "2");
    model.put("a/y", &to("b"), "2");
    assert_eq!(
        model.done(),
        "update b/y (its source changed)",
        "A21: others go on"
    );
    assert_eq!(
        model.copies(),
        "b/x=1 b/y=2",
        "nothing new, nothing deleted"
    );
    assert!(
        model
            .told
            .iter()
            .any(|told| told.starts_with("a/x: reflection-allowed-namespaces: pattern"))
    );
    model.put("a/x", &to("b,c"), "2");
    model.settle();
    assert_eq!(model.copies(), "b/x=2 b/y=2 c/x=2");
}

#[test]
fn types_of_others_are_never_copied() {
    let mut model = Model::new(rules(), "a b");
    model.put("a/x", GIVES, "1");
    model.settle();
    model.edit("a/x", |source| source.kind = "helm.sh/release.v1");
    model.put("a/y", "", "1");
    model.edit("a/y", |source| {
        source.kind = "helm.sh/release.v1";
        source.notes = model::said(GIVES);
    });
    assert_eq!(model.done(), "");
    assert_eq!(model.index.refusals()["ForbiddenType"], 2);
    assert_eq!(model.copies(), "b/x=1");
}

#[test]
fn namespaces_that_are_named_one_by_one_need_no_list_of_them() {
    let named = super::Rules {
        namespaces: Some(vec!["a".to_owned(), "b".to_owned()]),
        ..rules()
    };
    let mut model = Model::new(rules(), "");
    model.put("a/x", GIVES, "1");
    model.put(
        "a/y",
        &format!("{GIVES};reflection-auto-namespaces-selector=env!=x"),
        "1",
    );
    model.index = super::Index::new(named, model::keys(1));
    for kind in super::CopiedKind::ALL {
        model.index.list_begins(kind);
        if kind == model::SECRET {
            for at in ["a/x", "a/y"] {
                model.index.listed(kind, model.metadata(&model::place(at)));
            }
        }
        model.index.list_ends(kind, &|_| true, true);
    }
    assert_eq!(
        model.done(),
        "create b/x (new)",
        "unknown labels are no labels that a selector selects"
    );
}

#[test]
fn mittwalds_words_work_as_well() {
    let mut model = Model::new(rules(), "a b team-1");
    model.put("a/x", "replicate-to=team-[0-9]+", "1");
    assert_eq!(model.done(), "create team-1/x (new)");
    model.put(
        "a/y",
        "replication-allowed=true;replication-allowed-namespaces=b",
        "1",
    );
    model.put("b/y", "replicate-from=a/y", "");
    model.put("team-1/y", "replicate-from=a/y", "");
    model.settle();
    assert_eq!(model.objects[&model::place("b/y")].data, "1");
    assert_eq!(model.objects[&model::place("team-1/y")].data, "");
    model.put("a/x", "", "1");
    assert_eq!(
        model.done(),
        "delete team-1/x (its source is gone)",
        "the original would leave it behind"
    );
}

#[test]
fn row_208_a_copy_that_names_no_source_becomes_no_copy_of_another_one() {
    let made_of = |version: u64| format!("replicated-at=t;replicated-from-version={version}");
    for (version, data, expected) in [
        // Of the source that is younger: the older one, of another tenant, gets nothing.
        (102, "2", "adopt c/x (adopted: another controller made it)"),
        // Of a source that was changed since, or that gives no more.
        (7, "3", ""),
        // The version is another one since somebody wrote to the source, or restored the cluster.
        (7, "1", "adopt c/x (adopted: another controller made it)"),
    ] {
        let mut model = Model::new(rules(), "a b c");
        model.put("a/x", "replicate-to=c", "1");
        model.put("b/x", "replicate-to=c", "2");
        model.put("c/x", &made_of(version), data);
        let done = model.done();
        let written: Vec<&str> = done
            .split(", ")
            .filter(|step| !step.starts_with("compare"))
            .collect();
        assert_eq!(written.join(", "), expected, "{version} {data}");
        assert_eq!(model.objects[&model::place("c/x")].data, data);
    }
}
