//! `deploy/monitoring` as Prometheus itself reads it: each alert fires when it should and not
//! otherwise, on series that a real `/metrics` has, and each expression of the dashboard is one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::process::Scratch;
use crate::support::run::{Output, Run};
use crate::support::sidecar::RunningSidecar;
use crate::support::tools;

const RULES: [&str; 2] = ["alerts.yaml", "reflector-alerts.yaml"];
/// What a scrape puts beside our own labels.
const OF_THE_SCRAPE: [&str; 3] = ["namespace", "pod", "instance"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn monitoring() -> PathBuf {
    root().join("deploy/monitoring")
}

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    serde_saphyr::from_str(&text).expect("YAML")
}

fn tests() -> Value {
    yaml(&root().join("tests/monitoring/alerts.yaml"))
}

fn promtool(folder: &Path, args: &[&str]) -> Output {
    Run::of(tools::promtool()).dir(folder).args(args).run()
}

/// The rules and their tests beside each other.
fn beside_each_other(tests: &Value) -> Scratch {
    let scratch = Scratch::new("rules");
    for file in RULES {
        scratch.write(file, fs::read(monitoring().join(file)).expect("rules"));
    }
    scratch.write("tests.yaml", tests.to_string());
    scratch
}

#[test]
fn each_alert_fires_when_it_should_and_not_otherwise() {
    let tests = tests();
    let scratch = beside_each_other(&tests);
    promtool(scratch.path(), &["check", "rules", RULES[0], RULES[1]]).expect(0);
    promtool(scratch.path(), &["test", "rules", "tests.yaml"]).expect(0);

    let page = fs::read_to_string(root().join("docs/operate.md")).expect("a page");
    let mut both: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for test in tests["tests"].as_array().expect("tests") {
        for of in test["alert_rule_test"].as_array().expect("alerts") {
            let name = of["alertname"].as_str().expect("a name");
            let fires = of["exp_alerts"].is_array();
            both.entry(name).or_default().insert(fires);
        }
    }
    for file in RULES {
        for group in yaml(&monitoring().join(file))["groups"]
            .as_array()
            .expect("groups")
        {
            for rule in group["rules"].as_array().expect("rules") {
                let name = rule["alert"].as_str().expect("a name");
                let tried = both.get(name).map(BTreeSet::len);
                assert_eq!(tried, Some(2), "{name} is shown to fire and to be silent");
                assert!(
                    page.contains(&format!("`{name}`")),
                    "docs/operate.md: {name}"
                );
            }
        }
    }
    // A rule that never fires is found, or all of this would show nothing.
    let file = scratch.path().join(RULES[0]);
    let text = fs::read_to_string(&file).expect("rules");
    fs::write(
        &file,
        text.replace("and on (namespace, pod,", "and on (class, pod,"),
    )
    .expect("rules");
    promtool(scratch.path(), &["test", "rules", "tests.yaml"]).expect(1);
}

/// Name and names of labels of a sample or a selector: `name{a="b"}`.
fn series(text: &str) -> (String, BTreeSet<String>) {
    let (name, labels) = text.split_once('{').unwrap_or((text, ""));
    let labels = labels.split(',').filter_map(|label| label.split_once('='));
    let labels = labels.map(|(label, _)| label.trim().to_owned());
    (name.to_owned(), labels.collect())
}

/// What docs/metrics.md says: the labels of each metric.
fn explained() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/metrics.md")).expect("docs");
    let rows = text.lines().filter(|line| line.starts_with("| `keyferry_"));
    let words = |cell: &str| -> BTreeSet<String> {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let name = words(cells[1]).pop_first().expect("a name");
        (name, words(cells[3]))
    })
    .collect()
}

#[test]
fn the_series_of_the_rules_are_those_of_a_real_sidecar() {
    let explained = explained();
    let folder = Scratch::new("metrics");
    let config = "deliveries:\n- name: app\n  fields: {A: b}\n  to: [{file: {path: app.env}}]\n  \
        onChange: [{run: {command: [echo]}}]\n";
    let sidecar = RunningSidecar::start(folder.path(), config);
    sidecar.ready();
    let (_, text) = sidecar.ask("/metrics").expect("it answers");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let mut there = BTreeSet::new();
    for sample in samples {
        let (sample, _) = sample.rsplit_once(' ').expect("a value");
        let (name, labels) = series(sample);
        assert_eq!(explained.get(&name), Some(&labels), "{sample}");
        there.insert(name);
    }
    for zero in [
        "keyferry_delivery_failures_total{delivery=\"app\",class=\"denied\"}",
        "keyferry_reactions_total{kind=\"webhook\",result=\"failed\"}",
    ] {
        assert_eq!(
            sidecar.metric(zero),
            Some(0.0),
            "{zero} is there from the start"
        );
    }

    let tests = tests();
    let all = tests["tests"].as_array().expect("tests").iter();
    let all = all.flat_map(|test| test["input_series"].as_array().expect("series"));
    let mut seen = 0;
    for input in all {
        let (name, mut labels) = series(input["series"].as_str().expect("a series"));
        if !name.starts_with("keyferry_") {
            continue;
        }
        for label in OF_THE_SCRAPE {
            assert!(labels.remove(label), "{name} has {label}");
        }
        assert_eq!(explained.get(&name), Some(&labels), "{name}");
        // A plain sidecar has no Vault, no lease and no reflector to tell of.
        let elsewhere = ["_vault_up", "_lease_remaining", "_reflector_"];
        let elsewhere = elsewhere.iter().any(|part| name.contains(part));
        assert!(elsewhere || there.contains(&name), "{name}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn each_expression_of_the_dashboard_is_one_and_obeys_its_variables() {
    let text = fs::read_to_string(monitoring().join("dashboard.json")).expect("a dashboard");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let names: Vec<&str> = board["templating"]["list"]
        .as_array()
        .expect("variables")
        .iter()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    assert_eq!(names, ["datasource", "namespace", "pod"]);
    let mut rules = Vec::new();
    let mut ids = BTreeSet::new();
    for panel in board["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        let described = panel["description"].as_str().unwrap_or_default();
        assert!(described.len() > 20, "{title} is described");
        assert!(
            ids.insert(panel["id"].as_u64()),
            "{title} has an id of its own"
        );
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let metrics = expression.matches("keyferry_").count();
            let chosen = r#"{namespace=~"$namespace", pod=~"$pod"}"#;
            assert!(metrics > 0, "{title}");
            assert_eq!(metrics, expression.matches(chosen).count(), "{title}");
            let expression = expression.replace("$namespace", ".*").replace("$pod", ".*");
            let record = format!("panel:{}", rules.len());
            rules.push(json!({"record": record, "expr": expression}));
        }
    }
    let scratch = Scratch::new("dashboard");
    let file = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    scratch.write("rules.yaml", file.to_string());
    let output = promtool(scratch.path(), &["check", "rules", "rules.yaml"]).expect(0);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(
        said.contains(&format!("{} rules found", rules.len())),
        "{said}"
    );
}
