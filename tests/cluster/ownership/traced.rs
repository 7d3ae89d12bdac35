//! Provenance: written with the values, told by `trace`, `plan` and `status`, and no reason to
//! write.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{CANARY, Site, steps};
use crate::support::canary::assert_none_in;
use crate::support::openbao::OpenBao;
use crate::support::process::Scratch;
use crate::support::run::keyferry;
use crate::support::sidecar::{RunningSidecar, age, age_key};

const SOURCES: &str = "keyferry.io/sources";

/// A configuration whose delivery `app` merges two secrets of a real OpenBao, one of them pinned.
fn configuration(site: &Site, bao: &OpenBao, delivery: &str) -> String {
    let token = site.folder.write("token", bao.root_token());
    format!(
        "name: shop\nvault: {{address: '{}', auth: {{token: {{file: '{}'}}}}}}\nsidecar: {{refresh: 1s}}\ndeliveries:\n\
         - {{name: {delivery}, from: [{{vault: kv/data/app}}, {{vault: kv/fixed, version: 1}}], to: [{}]}}\n",
        bao.plain_addr(),
        token.display(),
        site.target("db", "")
    )
}

fn sources(site: &Site) -> Value {
    let stored = site.stored("db");
    let text = stored["metadata"]["annotations"][SOURCES].as_str();
    serde_json::from_str(text.expect("text")).expect("JSON")
}

#[test]
fn row_109_equal_values_of_a_later_version_write_nothing() {
    let (site, bao) = (Site::new(), OpenBao::start());
    let put = |value: &str| bao.put("app", &json!({"password": format!("{CANARY}{value}")}));
    put("1");
    bao.put("fixed", &json!({"user": format!("{CANARY}u")}));
    let config = site
        .folder
        .write("keyferry.yaml", configuration(&site, &bao, "app"));
    site.run(&["job"], &config).expect(0);
    let of = |version: &str| {
        json!([
            {"source": "vault kv/data/app", "version": version},
            {"source": "vault kv/fixed", "version": "1", "pinned": true},
        ])
    };
    assert_eq!(sources(&site), of("1"));
    let first = site.stored("db");

    put("1");
    let plan = site.run(&["plan", "-o", "json"], &config).expect(0);
    assert_eq!(steps(&plan)[0]["action"], "keep");
    assert_eq!(
        steps(&plan)[0]["provenance"],
        json!({"configuration": "shop", "delivery": "app", "sources": of("2")})
    );
    site.run(&["job"], &config).expect(0);
    // From another folder the same sources have the same names.
    let elsewhere = Scratch::new("elsewhere");
    let run = keyferry().args(["job", "--config"]).args([&config]);
    let run = run
        .dir(elsewhere.path())
        .env("KUBECONFIG", site.cluster.kubeconfig());
    run.run().expect(0);
    assert_eq!(site.stored("db"), first);

    put("2");
    site.run(&["job"], &config).expect(0);
    assert_eq!(sources(&site), of("3"));

    // Another delivery of the same values is told, and no value is written again.
    site.folder
        .write("keyferry.yaml", configuration(&site, &bao, "renamed"));
    let plan = site.run(&["plan"], &config).expect(10);
    assert!(
        plan.stdout
            .contains("it named another delivery or other sources"),
        "{}",
        plan.stdout
    );
    site.run(&["job"], &config).expect(0);
    let annotations = site.stored("db")["metadata"]["annotations"].clone();
    assert_eq!(annotations["keyferry.io/delivery"], "renamed");
    site.run(&["plan"], &config).expect(0);
}

#[test]
fn row_110_trace_and_status_say_which_source_feeds_a_secret() {
    let (site, bao) = (Site::new(), OpenBao::start());
    bao.put("app", &json!({"password": format!("{CANARY}1")}));
    bao.put("fixed", &json!({"user": format!("{CANARY}u")}));
    let config = configuration(&site, &bao, "app");
    let sidecar = RunningSidecar::start_with(site.folder.path(), &config, |run| {
        run.env("KUBECONFIG", site.cluster.kubeconfig())
    });
    sidecar.ready();
    let at = format!("{}/db", site.namespace);
    let from = "vault kv/data/app, at or after version 1";
    let status = sidecar.command("status").expect(0);
    let line = format!("app: secret {at} from {from}; vault kv/fixed, version 1\n");
    assert!(status.stdout.contains(&line), "{}", status.stdout);

    let traced = site.trace(&[&at]).expect(0);
    let wanted = format!(
        "secret {at}\n  configuration  shop\n  delivery       app\n  source         {from}\n  \
         source         vault kv/fixed, version 1\n  written        "
    );
    assert!(traced.stdout.starts_with(&wanted), "{}", traced.stdout);
    let document: Value =
        serde_json::from_str(&site.trace(&[&at, "-o", "json"]).expect(0).stdout).expect("JSON");
    assert_eq!(document["owner"], "configuration");
    assert_eq!(document["configuration"], "shop");
    assert_eq!(document["sources"], sources(&site));
    assert_eq!(
        document["resourceVersion"],
        site.stored("db")["metadata"]["resourceVersion"]
    );

    site.applied("helm", "foreign", &json!({}), &json!({"k": "eA=="}));
    let foreign = site
        .trace(&[&format!("{}/foreign", site.namespace)])
        .expect(0);
    assert!(foreign.stdout.contains("not ours") && foreign.stdout.contains("helm"));
    let absent = site.trace(&[&format!("{}/none", site.namespace)]).expect(4);
    assert!(
        absent.stderr.contains("does not exist"),
        "{}",
        absent.stderr
    );
    for wrong in ["a/b/c", "../x", ""] {
        site.trace(&[wrong]).expect(2);
    }
}

#[test]
fn row_110_a_file_without_a_version_of_its_own_has_a_digest_of_what_is_encrypted() {
    let site = Site::new();
    let encrypted = age(&format!("password: {CANARY}1\n"));
    site.folder.write("db.age", &encrypted);
    let text = format!(
        "name: shop\nkeys: {{age: [{{file: {}}}]}}\ndeliveries:\n- {{name: app, from: \
         [{{age: db.age, format: yaml}}, {{secret: {{namespace: {}, name: theirs}}}}], to: \
         [{}]}}\n",
        age_key().display(),
        site.namespace,
        site.target("db", "")
    );
    site.applied("helm", "theirs", &json!({}), &json!({"k": "eA=="}));
    let config = site.folder.write("keyferry.yaml", text);
    site.run(&["job"], &config).expect(0);
    let digest: String = Sha256::digest(&encrypted)[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let theirs = site.stored("theirs")["metadata"]["resourceVersion"].clone();
    let traced = site.trace(&[&format!("{}/db", site.namespace)]).expect(0);
    for line in [
        format!("  source         age file db.age, at or after version sha256:{digest}\n"),
        format!(
            "  source         secret {}/theirs, at or after version {}\n",
            site.namespace,
            theirs.as_str().expect("a version")
        ),
    ] {
        assert!(traced.stdout.contains(&line), "{line}: {}", traced.stdout);
    }
    // Encrypted again, with the same values: another file, and nothing to write.
    let first = site.stored("db");
    site.folder
        .write("db.age", age(&format!("password: {CANARY}1\n")));
    site.run(&["job"], &config).expect(0);
    assert_eq!(site.stored("db"), first);
}

#[test]
fn row_113_provenance_holds_no_value_and_no_digest_of_one() {
    let (site, bao) = (Site::new(), OpenBao::start());
    let value = format!("{CANARY}1");
    bao.put("app", &json!({"password": value}));
    bao.put("fixed", &json!({"user": value}));
    let config = site
        .folder
        .write("keyferry.yaml", configuration(&site, &bao, "app"));
    site.run(&["job"], &config).expect(0);
    let mut stored = site.stored("db");
    stored["data"] = json!(null);
    // Searched for in every usual coding and digest.
    assert_none_in("the object", stored.to_string().as_bytes(), &[&value]);
    let at = format!("{}/db", site.namespace);
    for output in [
        site.trace(&[&at]),
        site.trace(&[&at, "-o", "json"]),
        site.run(&["plan", "-o", "json"], &config),
    ] {
        output.assert_no_canary(&[&value]);
    }
}
