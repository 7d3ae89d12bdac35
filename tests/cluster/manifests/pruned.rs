//! What is deleted because no manifest describes it any more, and all that keeps it from being
//! deleted.

use std::time::Duration;

use keyferry::base::artifact::{Leftover, ObjectName, Origin};
use keyferry::base::failure::Class;
use keyferry::config::Config;
use keyferry::kubernetes::connect_with;
use keyferry::pass::apply;
use keyferry::pass::world::World;
use serde_json::json;
use tokio::time::Instant;

use super::{CANARY, PRUNE, Site, WRITE, says};
use crate::support::cluster::Cluster;

const PRUNED: &str = "  - {name: web, sops: 'secrets/*.enc.yaml', prune: true}\n";

fn site(names: &[&str]) -> Site {
    let site = Site::new(PRUNE, PRUNED);
    for name in names {
        site.put_secret(name);
    }
    site.job().expect(0);
    assert_eq!(site.names(), names);
    site
}

#[test]
fn what_is_described_no_more_goes_and_nothing_else_does() {
    let site = site(&["a", "b"]);
    let secrets = format!("/api/v1/namespaces/{}/secrets", site.namespace);
    let owner = ("app.kubernetes.io/managed-by", "keyferry");
    let named = ("keyferry.io/configuration", "site");
    let set = ("keyferry.io/manifests", "web");
    let cluster = Cluster::shared();
    for (name, labels) in [
        ("x-no-mark", vec![]),
        ("x-only-ours", vec![owner]),
        ("x-only-set", vec![set]),
        // A copy that some tool made of ours, labels and all.
        ("x-copy", vec![owner, named, set]),
        ("x-unnamed", vec![owner, set]),
        (
            "x-other-set",
            vec![owner, named, ("keyferry.io/manifests", "api")],
        ),
    ] {
        let labels: serde_json::Map<_, _> = labels
            .into_iter()
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect();
        cluster.create(
            &secrets,
            &json!({"metadata": {"name": name, "labels": labels}}),
        );
    }
    site.remove("b");
    let plan = site.run(&["plan"]).expect(10);
    says(
        &plan,
        &[
            "manifests web: prune",
            "delete   secret",
            "/b: no manifest describes it any more",
        ],
    );
    let json = site.run(&["plan", "-o", "json"]).expect(10);
    says(&json, &["\"action\": \"delete\""]);
    says(
        &site.run(&["plan", "-o", "markdown"]).expect(10),
        &["| delete |"],
    );
    assert!(site.secret("b").is_some(), "a plan deletes nothing");

    says(&site.job().expect(0), &["1 deleted, 1 unchanged"]);
    let left = [
        "a",
        "x-copy",
        "x-no-mark",
        "x-only-ours",
        "x-only-set",
        "x-other-set",
        "x-unnamed",
    ];
    assert_eq!(site.names(), left);
    let writes = site.writes();
    assert_eq!(
        writes.last().map(String::as_str),
        Some("delete secrets/b 200")
    );
    says(&site.job().expect(0), &["nothing changed"]);
    assert_eq!(site.writes(), writes, "a second run writes nothing");
}

#[test]
fn row_75_many_deletions_wait_for_a_person() {
    let site = site(&["a", "b", "c", "d", "e"]);
    for name in ["b", "c", "d", "e"] {
        site.remove(name);
    }
    let writes = site.writes();
    for extra in [&[][..], &["--allow-deletes", "3"]] {
        let done = site.run(&[&["job"], extra].concat()).expect(6);
        says(
            &done,
            &[
                "4 of 5 Secrets of manifests `web` are described no more, and at most 3 are \
                 deleted in one pass: ",
                "--allow-deletes 4",
            ],
        );
    }
    says(&site.run(&["plan"]).expect(6), &["4 of 5"]);
    assert_eq!(site.writes(), writes);
    says(
        &site.run(&["plan", "--allow-deletes", "4"]).expect(10),
        &["4 to change"],
    );
    says(
        &site.run(&["job", "--allow-deletes", "4"]).expect(0),
        &["4 deleted"],
    );
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn nothing_is_pruned_while_anything_is_unknown() {
    let site = site(&["a", "b", "c"]);
    let standing = site.names();
    site.remove("c");
    let text = std::fs::read_to_string(site.file("b.enc.yaml")).expect("text");
    let at = text.find("tag:").expect("a tag") + 5;
    let mut damaged = text.clone().into_bytes();
    damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
    let whole = std::fs::read(site.file("b.enc.yaml")).expect("bytes");
    let key = std::fs::read(site.folder.path().join("age.key")).expect("bytes");

    // A broken file, a truncated one, an empty one, one that is no SOPS file, one that holds no
    // Secret.
    for (bytes, code) in [
        (damaged.as_slice(), 5),
        (&whole[..whole.len() / 2], 5),
        (b"", 5),
        (b"apiVersion: v1\nkind: Secret\nmetadata: {name: b}\n", 5),
    ] {
        std::fs::write(site.file("b.enc.yaml"), bytes).expect("written");
        says(&site.job().expect(code), &["nothing is pruned"]);
        assert_eq!(site.names(), standing);
    }
    site.put("b.enc.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    says(
        &site.job().expect(4),
        &["describes no Secret", "nothing is pruned"],
    );
    assert_eq!(site.names(), standing);

    // A folder in a file's place, and a link that leads nowhere.
    std::fs::remove_file(site.file("b.enc.yaml")).expect("removed");
    std::fs::create_dir(site.file("b.enc.yaml")).expect("made");
    assert_ne!(site.job().code, 0);
    assert_eq!(site.names(), standing);
    std::fs::remove_dir(site.file("b.enc.yaml")).expect("removed");
    std::os::unix::fs::symlink("gone", site.file("b.enc.yaml")).expect("linked");
    assert_ne!(site.job().code, 0);
    assert_eq!(site.names(), standing);
    std::fs::remove_file(site.file("b.enc.yaml")).expect("removed");
    std::fs::write(site.file("b.enc.yaml"), &whole).expect("written");

    // No key; a key that opens nothing.
    site.folder.write("age.key", "");
    assert_ne!(site.job().code, 0);
    let stranger = crate::support::run::Run::of(crate::support::tools::age_keygen())
        .run()
        .expect(0);
    site.folder.write("age.key", &stranger.bytes);
    site.job().expect(5);
    assert_eq!(site.names(), standing);
    site.folder.write("age.key", &key);

    // An empty folder, and none at all.
    let folder = site.folder.path().join("secrets");
    let aside = site.folder.path().join("aside");
    std::fs::rename(&folder, &aside).expect("moved");
    says(&site.job().expect(2), &["no file is called"]);
    std::fs::create_dir(&folder).expect("made");
    says(&site.job().expect(2), &["no file is called"]);
    assert_eq!(site.names(), standing);
    std::fs::remove_dir(&folder).expect("removed");
    std::fs::rename(&aside, &folder).expect("moved");

    // Some other delivery that cannot be read might be where the manifest went.
    let config = std::fs::read_to_string(site.folder.path().join("keyferry.yaml")).expect("text");
    site.folder.write(
        "keyferry.yaml",
        format!(
            "{config}deliveries:\n  - {{name: more, from: [{{age: none.env.age}}], to: [{{secret: \
         {{name: c}}}}]}}\n"
        ),
    );
    says(&site.job().expect(4), &["nothing is pruned"]);
    assert_eq!(site.names(), standing);

    site.folder.write("keyferry.yaml", config);
    says(&site.job().expect(0), &["1 deleted"]);
    assert_eq!(site.names(), ["a", "b"]);
}

#[test]
fn the_old_stays_until_the_new_is_there() {
    let site = site(&["old"]);
    let secrets = format!("/api/v1/namespaces/{}/secrets", site.namespace);
    let foreign = Cluster::shared().create(&secrets, &json!({"metadata": {"name": "new"}}));
    site.remove("old");
    site.put_secret("new");
    let done = site.job().expect(6);
    says(
        &done,
        &[
            "was not made by keyferry",
            "is not deleted: something else failed in this pass",
        ],
    );
    assert_eq!(site.names(), ["new", "old"]);
    let path = format!("{secrets}/new");
    assert_eq!(
        foreign["metadata"]["uid"],
        Cluster::shared().find(&path).expect("there")["metadata"]["uid"]
    );
    Cluster::shared().request("DELETE", &path, None);
    says(&site.job().expect(0), &["1 created", "1 deleted"]);
    assert_eq!(site.names(), ["new"]);
}

#[test]
fn a_secret_that_moved_between_sets_is_kept() {
    let site = site(&["a", "b"]);
    site.configure(
        "  - {name: web, sops: secrets/a.enc.yaml, prune: true}\n  - \
        {name: api, sops: secrets/b.enc.yaml, prune: true}\n",
    );
    let uid = |site: &Site| site.secret("b").expect("there")["metadata"]["uid"].clone();
    let before = uid(&site);
    says(&site.job().expect(0), &["1 updated, 1 unchanged"]);
    assert_eq!(uid(&site), before);
    says(&site.job().expect(0), &["nothing changed"]);
    let b = site.secret("b").expect("there");
    assert_eq!(b["metadata"]["labels"]["keyferry.io/manifests"], "api");
}

#[test]
fn pruning_needs_two_more_rights_and_says_which() {
    let site = Site::new(WRITE, PRUNED);
    site.put_secret("a");
    let denied = site.job().expect(3);
    says(
        &denied,
        &["may not list secrets in", "verbs: [list, delete]"],
    );
    assert_eq!(site.names(), ["a"], "what can be done is done");
    let user = format!("system:serviceaccount:{}:job", site.namespace);
    let lines = Cluster::shared().audit_lines();
    let lists: Vec<_> = lines
        .iter()
        .filter(|line| line["user"]["username"] == user.as_str() && line["verb"] == "list")
        .collect();
    assert_eq!(lists.len(), 1);
}

/// More than one page of the list.
#[test]
fn row_75_a_fifth_of_many_may_go_at_once() {
    let site = Site::new(PRUNE, PRUNED);
    let put = |count: usize| {
        let items = (0..count).map(|number| {
            format!(
                "- {{apiVersion: v1, kind: Secret, metadata: {{name: \
                s{number}}}, stringData: {{k: {CANARY}}}}}\n"
            )
        });
        let items: String = items.collect();
        site.put(
            "all.enc.yaml",
            &format!("apiVersion: v1\nkind: List\nitems:\n{items}"),
        );
    };
    put(300);
    says(&site.job().expect(0), &["300 created"]);
    put(239);
    let refused = site.job().expect(6);
    says(&refused, &["61 of 300 Secrets", "at most 60", ", 51 more"]);
    put(240);
    says(&site.job().expect(0), &["60 deleted, 240 unchanged"]);
    assert_eq!(site.names().len(), 240);
}

#[tokio::test]
async fn what_changed_after_the_look_is_not_deleted() {
    let site = site(&["a"]);
    let seen = site.secret("a").expect("there");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let at = ObjectName {
        namespace: site.namespace.clone(),
        name: "a".to_owned(),
    };
    let exact = Leftover {
        of: Origin::Manifests,
        at,
        uid: text(&seen["metadata"]["uid"]),
        version: text(&seen["metadata"]["resourceVersion"]),
    };
    let time_limit = Duration::from_secs(30);
    let cluster = connect_with(site.kubeconfig.clone(), Instant::now() + time_limit).await;
    let world = World::new(&Config::default(), None, time_limit)
        .with_kubernetes(cluster.expect("the kubeconfig is good"));
    for wrong in [
        Leftover {
            uid: "11111111-2222-4333-8444-555555555555".to_owned(),
            ..exact.clone()
        },
        Leftover {
            version: "1".to_owned(),
            ..exact.clone()
        },
    ] {
        let failure = apply::secret::remove(&wrong, &world).await;
        let failure = failure.expect_err("it is another one now");
        assert_eq!(failure.class, Class::Unavailable, "{failure}");
        assert!(site.secret("a").is_some());
    }
    apply::secret::remove(&exact, &world)
        .await
        .expect("deleted");
    assert_eq!(site.secret("a"), None);
    apply::secret::remove(&exact, &world)
        .await
        .expect("it is gone, as wanted");
}
