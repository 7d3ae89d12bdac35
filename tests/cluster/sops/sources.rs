//! Age identities that lie on no disk: in Vault, and in a Secret of the cluster.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::Scratch;
use crate::support::run::{Output, Run, keyferry};

const CANARY: &str = "canary-value-7";

fn made(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// A folder that delivers a SOPS file with these keys.
fn place(top: &str, keys: &str) -> Scratch {
    let folder = Scratch::new("sops-source");
    folder.write("two.enc.env", made("sops/two.enc.env"));
    folder.write(
        "keyferry.yaml",
        format!(
            "{top}keys: {{age: [{keys}]}}\ndeliveries:\n  - name: app\n    from: [{{sops: \
             two.enc.env}}]\n    to: [{{file: {{path: out.env}}}}]\n"
        ),
    );
    folder
}

fn run(folder: &Scratch, args: &[&str], more: impl FnOnce(Run) -> Run) -> Output {
    let done = more(keyferry().dir(folder.path()).args(args)).run();
    done.assert_no_canary(&[CANARY, made("age/made/x25519.key").lines().last().unwrap()]);
    done
}

fn opened_by(output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    document["sources"][0]["openedBy"].clone()
}

const CHECK: [&str; 4] = ["check", "--keys", "--output", "json"];
const RECIPIENT: &str = "age16hcqgc78lj6sj2gge9ynvu3ssud6nd9jwg34ht6df05dzjuw43tqhd20tv";

#[test]
fn an_age_key_in_vault_opens_sops_files() {
    let bao = OpenBao::start();
    bao.put("age", &json!({"key": made("age/made/x25519.key")}));
    let secrets = Scratch::new("token");
    let token = secrets.write("token", bao.root_token());
    let vault = format!(
        "vault: {{address: '{}', auth: {{token: {{file: '{}'}}}}}}\n",
        bao.plain_addr(),
        token.display()
    );
    let folder = place(&vault, "{vault: 'kv/age#key'}");
    let same = |run: Run| run;
    run(&folder, &["job"], same).expect(0);
    let delivered = std::fs::read_to_string(folder.path().join("out.env")).unwrap();
    assert!(delivered.contains(CANARY));
    let checked = run(&folder, &CHECK, same).expect(0);
    assert_eq!(opened_by(&checked), json!([RECIPIENT]));

    // Another key in its place, no key, and no Vault at all: what was delivered stays.
    bao.put("age", &json!({"key": made("age/made/hybrid.key")}));
    run(&folder, &["job"], same).expect(5);
    bao.put("age", &json!({"other": "x"}));
    run(&folder, &["job"], same).expect(4);
    bao.put("age", &json!({"key": "no key at all"}));
    let refused = run(&folder, &["job"], same).expect(5);
    assert!(
        refused
            .stderr
            .contains("vault kv/age#key: line 1 of the key file is not an age identity"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("out.env")).unwrap(),
        delivered
    );
}

#[test]
fn an_age_key_in_a_secret_opens_sops_files() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sops-age", "namespace": namespace},
        "stringData": {"keys.txt": made("age/made/x25519.key")},
    });
    cluster.create(&format!("/api/v1/namespaces/{namespace}/secrets"), &secret);
    let rule = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["sops-age"], "verbs": ["get"]}]);
    cluster.grant(&namespace, "opener", &rule);
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "opener");
    let with = |run: Run| run.env("KUBECONFIG", &kubeconfig);
    let folder = place("", "{secret: {name: sops-age, key: keys.txt}}");
    run(&folder, &["job"], with).expect(0);
    let checked = run(&folder, &CHECK, with).expect(0);
    assert_eq!(opened_by(&checked), json!([RECIPIENT]));
    let folder = place("", "{secret: {name: other, key: keys.txt}}");
    run(&folder, &["job"], with).expect(3);
    assert!(!folder.path().join("out.env").exists());
}
