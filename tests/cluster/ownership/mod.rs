//! Whose a Secret is, and what it says of where it comes from, on a real API server and a real
//! OpenBao.

mod killed;
mod rebuilt;
mod removed;
mod traced;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::process::Scratch;
use crate::support::run::{Output, keyferry};

/// In every value of these tests, and in no message.
const CANARY: &str = "c4naryOwned";

/// A namespace, and configurations for it, run with the administrator's rights.
struct Site {
    cluster: &'static Cluster,
    namespace: String,
    folder: Scratch,
}

impl Site {
    fn new() -> Self {
        let cluster = Cluster::shared();
        Self {
            cluster,
            namespace: cluster.namespace(),
            folder: Scratch::new("ownership"),
        }
    }

    /// A target in the namespace, with more said of it.
    fn target(&self, name: &str, more: &str) -> String {
        format!(
            "{{secret: {{name: {name}, namespace: {}{more}}}}}",
            self.namespace
        )
    }

    /// Writes a configuration of this name whose delivery `app` makes one field, and gives its
    /// file.
    fn configure(&self, name: &str, value: &str, target: &str) -> PathBuf {
        let text = format!(
            "name: {name}\nmarkKey: {{namespace: {}}}\ndeliveries: \
             [{{name: app, fields: {{password: {CANARY}{value}}}, to: [{target}]}}]\n",
            self.namespace
        );
        self.folder.write(&format!("{name}.yaml"), text)
    }

    fn run(&self, command: &[&str], config: &PathBuf) -> Output {
        let output = keyferry()
            .args(command)
            .args(["--config"])
            .args([config])
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .run();
        output.assert_no_canary(&[CANARY]);
        output
    }

    fn trace(&self, arguments: &[&str]) -> Output {
        let run = keyferry().args(["trace", "secret"]).args(arguments);
        let output = run.env("KUBECONFIG", self.cluster.kubeconfig()).run();
        output.assert_no_canary(&[CANARY]);
        output
    }

    fn stored(&self, name: &str) -> Value {
        let stored = self.cluster.secret(&self.namespace, name);
        stored.expect("the Secret is there")
    }

    /// A Secret as an older keyferry, or somebody else, left it.
    fn applied(&self, manager: &str, name: &str, metadata: &Value, data: &Value) {
        let path = format!(
            "/api/v1/namespaces/{}/secrets/{name}?fieldManager={manager}&force=true",
            self.namespace
        );
        let mut metadata = metadata.clone();
        metadata["name"] = json!(name);
        let object =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
        let (status, answer) = self.cluster.request("PATCH", &path, Some(&object));
        assert!(status < 300, "{answer}");
    }
}

fn steps(plan: &Output) -> Value {
    let document: Value = serde_json::from_str(&plan.stdout).expect("JSON");
    document["deliveries"][0]["steps"].clone()
}

const OURS: &str = "app.kubernetes.io/managed-by";
const CONFIGURATION: &str = "keyferry.io/configuration";

#[test]
fn row_106_a_second_configuration_is_refused_until_it_adopts() {
    let site = Site::new();
    let one = site.configure("one", "1", &site.target("db", ""));
    site.run(&["job"], &one).expect(0);
    let before = site.stored("db");
    assert_eq!(
        before["metadata"]["labels"],
        json!({OURS: "keyferry", CONFIGURATION: "one"})
    );

    let two = site.configure("two", "2", &site.target("db", ""));
    for command in [&["job"][..], &["plan"]] {
        let refused = site.run(command, &two).expect(6);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(
            said.contains("exists and belongs to configuration `one`")
                && said.contains("adopt: true"),
            "{said}"
        );
    }
    assert_eq!(site.stored("db"), before);

    let two = site.configure("two", "2", &site.target("db", ", adopt: true"));
    let plan = site.run(&["plan"], &two).expect(10);
    assert!(
        plan.stdout.contains("adopted from configuration `one`"),
        "{}",
        plan.stdout
    );
    site.run(&["job"], &two).expect(0);
    assert_eq!(
        site.stored("db")["metadata"]["labels"][CONFIGURATION],
        "two"
    );
    site.run(&["job"], &one).expect(6);

    // A copy that the reflector made has no name of a configuration, and is nobody's to take over
    // either.
    let copy =
        json!({"labels": {OURS: "keyferry"}, "annotations": {"keyferry.io/source-uid": "u"}});
    site.applied("keyferry", "copied", &copy, &json!({"password": "eA=="}));
    let copied = site.configure("three", "3", &site.target("copied", ""));
    let refused = site.run(&["job"], &copied).expect(6);
    assert!(
        refused.stderr.contains("a copy that the reflector made"),
        "{}",
        refused.stderr
    );
}

#[test]
fn row_107_a_mark_without_a_name_is_taken_over_and_that_is_said() {
    let site = Site::new();
    let old = json!({"labels": {OURS: "keyferry"}});
    let same = "YzRuYXJ5T3duZWQx";
    for (name, value, said) in [
        ("same", same, "taken over: its owner mark had no name"),
        (
            "other",
            "eA==",
            "content differs; taken over: its owner mark had no name",
        ),
    ] {
        site.applied("keyferry", name, &old, &json!({"password": value}));
        let config = site.configure("shop", "1", &site.target(name, ""));
        let plan = site.run(&["plan"], &config).expect(10);
        assert!(plan.stdout.contains(said), "{}", plan.stdout);
        let job = site.run(&["job"], &config).expect(0);
        assert!(job.stderr.contains(said), "{}", job.stderr);
        assert_eq!(
            site.stored(name)["metadata"]["labels"][CONFIGURATION],
            "shop"
        );
        let stored = site.stored(name);
        site.run(&["job"], &config).expect(0);
        assert_eq!(site.stored(name), stored, "the second run writes nothing");
        let late = site.configure("late", "1", &site.target(name, ""));
        site.run(&["job"], &late).expect(6);
    }
}

#[test]
fn row_112_adoption_keeps_the_keys_of_others_and_the_plan_names_them() {
    let site = Site::new();
    let theirs = json!({"password": "eA==", "theirs": "eA==", "old": "eA=="});
    site.applied("kubectl", "db", &json!({}), &theirs);
    let config = site.configure(
        "shop",
        "1",
        &site.target("db", ", adopt: true, force: true"),
    );
    let plan = site.run(&["plan"], &config).expect(10);
    assert!(
        plan.stdout.contains("keeps keys of others: old, theirs"),
        "{}",
        plan.stdout
    );
    let plan = site.run(&["plan", "-o", "json"], &config).expect(10);
    let notes = steps(&plan)[0]["notes"].clone();
    assert_eq!(
        notes,
        json!([
            "adopted: it had no owner mark",
            "keeps keys of others: old, theirs"
        ])
    );
    site.run(&["job"], &config).expect(0);
    let data = site.stored("db")["data"].clone();
    assert_eq!(data["theirs"], "eA==");
    assert_eq!(data["password"], "YzRuYXJ5T3duZWQx");
}

#[test]
fn row_112_recreation_gives_up_the_keys_of_others_only_with_force() {
    let site = Site::new();
    site.applied("kubectl", "db", &json!({}), &json!({"theirs": "eA=="}));
    let before = site.stored("db");
    let more = |force: &str| format!(", type: example.com/x, adopt: true, recreate: true{force}");
    let config = site.configure("shop", "1", &site.target("db", &more("")));
    for command in ["plan", "job"] {
        let refused = site.run(&[command], &config).expect(6);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(
            said.contains("it also holds keys of others: theirs"),
            "{said}"
        );
    }
    assert_eq!(site.stored("db"), before);
    let config = site.configure("shop", "1", &site.target("db", &more(", force: true")));
    let plan = site.run(&["plan"], &config).expect(10);
    assert!(
        plan.stdout.contains("gives up keys of others: theirs"),
        "{}",
        plan.stdout
    );
    site.run(&["job"], &config).expect(0);
    assert_eq!(
        site.stored("db")["data"],
        json!({"password": "YzRuYXJ5T3duZWQx"})
    );
}

#[test]
fn row_108_prune_deletes_what_this_configuration_wrote_and_nothing_else() {
    let site = Site::new();
    let spaces: Vec<String> = ["a", "b"]
        .iter()
        .map(|name| format!("{}-{name}", site.namespace))
        .collect();
    for space in &spaces {
        site.cluster.named_namespace(space, &json!({}));
    }
    let copies = |config: &str, home: &str, spaces: &[String]| {
        let (namespaces, own) = (spaces.join(", "), &site.namespace);
        let target = format!(
            "{{secret: {{name: {home}, namespace: {own}}}, reflect: {{namespaces: \
             [{namespaces}], rename: {config}, prune: true}}}}"
        );
        site.configure(config, "1", &target)
    };
    site.run(&["job"], &copies("one", "home-one", &spaces))
        .expect(0);
    // The same home, said by another configuration and by none, as the annotation of a copy says
    // it.
    let copy = site.cluster.secret(&spaces[0], "one").expect("the copy");
    let of = copy["metadata"]["annotations"]["keyferry.io/reflected-from"].clone();
    for (name, labels) in [
        ("another", json!({OURS: "keyferry", CONFIGURATION: "two"})),
        ("unnamed", json!({OURS: "keyferry"})),
        ("ours", json!({OURS: "keyferry", CONFIGURATION: "one"})),
    ] {
        let metadata = json!({"labels": labels, "annotations": {"keyferry.io/reflected-from": of}});
        site.applied("keyferry", name, &metadata, &json!({}));
    }
    site.run(&["job"], &copies("one", "home-one", &spaces[..1]))
        .expect(0);
    assert!(
        site.cluster.secret(&spaces[1], "one").is_none(),
        "it is declared no more"
    );
    // The marks of this configuration alone are no reason either: anybody can write them.
    for name in ["another", "unnamed", "ours", "home-one"] {
        site.stored(name);
    }
}
