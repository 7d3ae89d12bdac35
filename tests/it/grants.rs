//! `grants` without a server: what is printed, for whom, and what is said of rights that are wide.

use std::path::Path;

use serde_json::Value;

use crate::support::run::{Output, keyferry};

fn grants(dir: &Path, args: &[&str]) -> Output {
    keyferry().dir(dir).args(["grants"]).args(args).run()
}

fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("keyferry.yaml"), config).expect("our own folder");
    dir
}

/// The rules of all printed roles, one line each: place, resource, names, verbs.
fn rules(printed: &str) -> Vec<String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(printed).expect("YAML");
    let mut all = Vec::new();
    for role in documents.iter().filter(|one| one["rules"].is_array()) {
        let place = role["metadata"]["namespace"].as_str().unwrap_or("*");
        for rule in role["rules"].as_array().expect("rules") {
            let texts = |name: &str| {
                let texts = rule[name].as_array().into_iter().flatten();
                let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
                texts.join(",")
            };
            all.push(format!(
                "{place} {} [{}] {}",
                texts("resources"),
                texts("resourceNames"),
                texts("verbs")
            ));
        }
    }
    all
}

/// Vault's method is known, and everything that needs a right in a cluster is in it.
const WHOLE: &str = "
name: app
vault: {address: 'https://vault:8200', caFile: none.pem, auth: {kubernetes: {role: r}}}
keys:
  age: [{secret: {name: age-key, key: key.txt}}, {vault: 'kv/data/age#key'}]
  sealed: [{secret: {namespace: kube-system}}]
markKey: {name: marks}
deliveries:
  - name: one
    from: [{secret: {namespace: other, name: source}}, {vault: kv/data/a}, {vault: kv/b}]
    to:
      - secret: {name: typed, recreate: true}
        serviceAccounts: [default]
      - secret: {name: home, namespace: lib}
        reflect: {namespaces: ['team-*'], prune: true}
    onChange: [{restart: {deployment: web}}]
    onMissing: delete
";

#[test]
fn every_feature_has_its_rights() {
    let dir = folder(WHOLE);
    let account = ["--service-account", "ns/app"];
    let job = grants(
        dir.path(),
        &[&["kubernetes", "--mode", "job"], &account[..]].concat(),
    );
    let job = job.expect(0);
    assert_eq!(
        rules(&job.stdout),
        [
            "* namespaces [] list",
            "* secrets [] delete,list",
            "* secrets [home] create,get,patch",
            "lib secrets [home] create,get,patch",
            "ns events [] create,patch",
            "ns secrets [age-key,marks] get",
            "ns secrets [marks] create,patch",
            "ns secrets [typed] create,delete,get,patch",
            "ns serviceaccounts [default] get,patch",
            "other secrets [source] get",
        ],
        "{}",
        job.stdout
    );
    // `list` on the sealing keys of kube-system is in that of the whole cluster.
    let wide = job
        .stdout
        .lines()
        .filter(|line| line.starts_with("# wide: "));
    assert_eq!(wide.count(), 3, "{}", job.stdout);

    let sidecar = grants(dir.path(), &[&["kubernetes"], &account[..]].concat()).expect(0);
    let sidecar = rules(&sidecar.stdout);
    for more in [
        "* namespaces [] watch",
        "ns deployments [web] get,patch",
        "ns events [] create,patch",
        "other secrets [source] list,watch",
        "lib secrets [home] create,delete,get,patch",
    ] {
        assert!(
            sidecar.iter().any(|rule| rule == more),
            "{more}: {sidecar:?}"
        );
    }
    let necessary = grants(
        dir.path(),
        &[&["kubernetes", "--necessary"], &account[..]].concat(),
    );
    let necessary = rules(&necessary.expect(0).stdout);
    for optional in ["watch", "events", "[marks] create"] {
        let found = necessary.iter().any(|rule| rule.contains(optional));
        assert!(!found, "{optional}: {necessary:?}");
    }
}

#[test]
fn a_default_is_printed_where_it_is_taken() {
    let dir = folder(WHOLE);
    let printed = grants(dir.path(), &["kubernetes"]).expect(0);
    let head = "# keyferry.yaml: `keyferry sidecar` as default/app (--mode, --service-account)";
    assert!(printed.stdout.starts_with(head), "{}", printed.stdout);
    let printed = grants(dir.path(), &["vault"]).expect(0);
    let terms = "# tokens for audience `vault`, valid for 10m (--audience, --ttl)";
    assert!(printed.stdout.contains(terms), "{}", printed.stdout);
    let argocd = grants(dir.path(), &["kubernetes", "--argocd"]).expect(0);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&argocd.stdout).expect("YAML");
    for document in documents {
        let annotations = &document["metadata"]["annotations"];
        assert_eq!(annotations["argocd.argoproj.io/sync-wave"], "-2");
        assert_eq!(annotations["argocd.argoproj.io/hook"], Value::Null);
    }
}

#[test]
fn a_policy_names_each_path_and_says_what_depends_on_it() {
    let dir = folder(WHOLE);
    let hcl = grants(dir.path(), &["vault", "-o", "hcl", "--mode", "sidecar"]).expect(0);
    let want = "\
# keyferry: default/app
path \"kv/b\" { capabilities = [\"read\"] }
path \"kv/data/a\" { capabilities = [\"read\"] }
path \"kv/data/age\" { capabilities = [\"read\"] }
path \"kv/data/b\" { capabilities = [\"read\"] }
path \"kv/metadata/a\" { capabilities = [\"read\"] }
path \"kv/metadata/b\" { capabilities = [\"read\"] }
";
    let paths: Vec<&str> = hcl
        .stdout
        .lines()
        .filter(|line| !line.starts_with("# o"))
        .collect();
    assert_eq!(paths.join("\n") + "\n", want);
    assert_eq!(hcl.stdout.matches("# optional: ").count(), 2);
    assert_eq!(hcl.stdout.matches("# one of two: ").count(), 2);
    let json = grants(dir.path(), &["vault", "-o", "json"]).expect(0);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let grant = &json["grants"][0];
    assert_eq!(grant["role"]["path"], "auth/kubernetes/role/r");
    assert_eq!(
        grant["role"]["data"]["bound_service_account_names"][0],
        "app"
    );
    assert_eq!(grant["policy"]["name"], "r");
}

#[test]
fn configurations_of_one_role_are_one_grant() {
    let config = |path: &str| {
        format!(
            "vault: {{address: 'https://vault:8200', auth: {{kubernetes: {{role: r}}}}}}
deliveries: [{{name: a, from: [{{vault: {path}}}], to: [{{file: {{path: a.env}}}}]}}]\n"
        )
    };
    let dir = folder(&config("kv/data/a"));
    std::fs::write(dir.path().join("b.yaml"), config("kv/data/b")).expect("our own folder");
    let both = ["vault", "-o", "json", "-c", "keyferry.yaml", "-c", "b.yaml"];
    let accounts = ["--service-account", "x/one", "--service-account", "y/two"];
    let output = grants(dir.path(), &[&both[..], &accounts[..]].concat()).expect(0);
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let all = json["grants"].as_array().expect("grants");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["policy"]["paths"].as_array().map(Vec::len), Some(2));
    let remarks = all[0]["remarks"].to_string();
    assert!(remarks.contains("4 service accounts"), "{remarks}");
    let third = ["--service-account", "z/three"];
    let output = grants(dir.path(), &[&both[..], &accounts[..], &third[..]].concat());
    let output = output.expect(2);
    let told = "2 configurations and 3 service accounts are given";
    assert!(output.stderr.contains(told), "{}", output.stderr);
}

#[test]
fn names_of_manifests_are_read_without_any_key() {
    let dir = folder("name: app\nmanifests: [{sealed: 'sealed/*.yaml', namespaces: [a, b]}]\n");
    let sealed = dir.path().join("sealed");
    std::fs::create_dir(&sealed).expect("our own folder");
    let text = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, \
        namespace: a}\nspec: {encryptedData: {x: AA}}\n";
    std::fs::write(sealed.join("db.yaml"), text).expect("our own folder");
    let printed = grants(dir.path(), &["kubernetes"]).expect(0);
    let of_secrets = |printed: &str| {
        let mut rules = rules(printed);
        rules.retain(|rule| !rule.contains(" events "));
        rules
    };
    assert_eq!(
        of_secrets(&printed.stdout),
        ["a secrets [db] create,get,patch"]
    );
    let hidden = text.replace("name: db", "name: 'ENC[x]'");
    std::fs::write(sealed.join("db.yaml"), hidden).expect("our own folder");
    let printed = grants(dir.path(), &["kubernetes"]).expect(0);
    let all = [
        "a secrets [] create,get,patch",
        "b secrets [] create,get,patch",
    ];
    assert_eq!(of_secrets(&printed.stdout), all);
    assert!(printed.stdout.contains("# wide: manifests"));
}

#[test]
fn what_cannot_be_granted_is_said() {
    let of = |vault: &str| {
        format!(
            "{vault}deliveries: [{{name: a, fields: {{x: y}}, to: [{{file: {{path: a.env}}}}]}}]\n"
        )
    };
    let dir = folder(&of(""));
    let none = grants(dir.path(), &["vault"]).expect(2);
    assert!(
        none.stderr
            .contains("no configuration here reads from Vault")
    );
    let who = grants(dir.path(), &["vault", "--apply"]).expect(2);
    assert!(who.stderr.contains("--token-file"), "{}", who.stderr);
    let account = ["kubernetes", "--service-account", "Wrong"];
    let account = grants(dir.path(), &account).expect(2);
    assert!(
        account.stderr.contains("NAMESPACE/NAME"),
        "{}",
        account.stderr
    );
    let github = folder(
        "vault: {address: 'https://vault:8200', auth: {jwt: {role: ci, githubActions: {audience: v}}}}
deliveries: [{name: a, from: [{vault: kv/data/a}], to: [{file: {path: a.env}}]}]\n",
    );
    let printed = grants(github.path(), &["vault"]).expect(0);
    assert!(
        printed.stdout.contains("OWNER/REPOSITORY"),
        "{}",
        printed.stdout
    );
}
