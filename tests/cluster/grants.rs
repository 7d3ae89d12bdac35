//! What `keyferry grants` prints is enough, and nothing of it that it calls necessary can be left
//! out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::archpad::{allow_role_job, archpad};
use crate::support::cluster::Cluster;
use crate::support::kustomize::rendered;
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually};
use crate::support::run::{Output, Run, keyferry};

/// How long the server's authoriser may take to see a change.
const PATIENCE: Duration = Duration::from_secs(30);

/// The documents that were printed.
fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

/// One verb on one name, as a Role grants it.
type Right = (String, String, String, String, String);

/// Everything that Roles among these objects grant: place, group, resource, name, verb.
fn rights(objects: &[Value]) -> BTreeSet<Right> {
    let mut all = BTreeSet::new();
    for object in objects.iter().filter(|object| object["rules"].is_array()) {
        let place = object["metadata"]["namespace"].as_str().unwrap_or("");
        for rule in object["rules"].as_array().expect("rules") {
            let texts = |name: &str| -> Vec<String> {
                let texts = rule[name].as_array().into_iter().flatten();
                let texts: Vec<String> = texts
                    .filter_map(|text| text.as_str().map(str::to_owned))
                    .collect();
                if texts.is_empty() {
                    vec![String::new()]
                } else {
                    texts
                }
            };
            for group in texts("apiGroups") {
                for resource in texts("resources") {
                    for name in texts("resourceNames") {
                        for verb in texts("verbs") {
                            all.insert((
                                place.to_owned(),
                                group.clone(),
                                resource.clone(),
                                name.clone(),
                                verb,
                            ));
                        }
                    }
                }
            }
        }
    }
    all
}

/// What is printed for an account.
fn manifests(config: &Path, account: &str, more: &[&str]) -> String {
    let run = keyferry().args(["grants", "kubernetes", "--service-account", account, "-c"]);
    run.args([config]).args(more).run().expect(0).stdout
}

#[test]
fn the_kits_grant_exactly_what_is_printed_for_their_configuration() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let kits = [
        (
            "argocd-job/access",
            "argocd-job/base",
            "registry-secret-sync",
        ),
        ("argocd-job/sync", "argocd-job/base", "registry-secret-sync"),
        ("cronjob", "cronjob", "registry-secret-sync"),
        ("sidecar", "sidecar", "arch-repo-service"),
        ("reflector", "reflector", "keyferry-reflector"),
    ];
    for (kit, config, name) in kits {
        let (_, objects) = rendered(&deploy.join(kit));
        let account = objects
            .iter()
            .find(|object| object["kind"] == "ServiceAccount")
            .unwrap_or_else(|| panic!("{kit}: a ServiceAccount"));
        assert_eq!(account["metadata"]["name"], name, "{kit}");
        let namespace = account["metadata"]["namespace"].as_str().expect("its own");
        let config = deploy.join(config).join("keyferry.yaml");
        let printed = documents(&manifests(&config, &format!("{namespace}/{name}"), &[]));
        assert_eq!(rights(&objects), rights(&printed), "{kit}");
    }
}

/// A configuration with most of what needs rights, and the identity that runs it.
struct Runner {
    cluster: &'static Cluster,
    bao: OpenBao,
    scratch: Scratch,
    own: String,
    other: String,
}

impl Runner {
    fn new() -> Self {
        let cluster = Cluster::shared();
        let bao = cluster.vault_with_kubernetes_auth();
        let (own, other) = (cluster.namespace(), cluster.namespace());
        let scratch = Scratch::new("grants");
        bao.put("app", &json!({"password": "grants-canary"}));
        bao.put("other", &json!({"user": "u"}));
        let secret = json!({"metadata": {"name": "source"}, "stringData": {"key": "k"}});
        cluster.create(&format!("/api/v1/namespaces/{own}/secrets"), &secret);
        let token = cluster.token(&own, "runner", "vault");
        scratch.write("vault-token", token);
        scratch.write("root-token", bao.root_token());
        let config = format!(
            "name: grants-{own}
vault:
  address: {}
  auth: {{kubernetes: {{role: runner-{own}, tokenFile: vault-token}}}}
deliveries:
  - name: app
    from: [{{vault: kv/data/app}}, {{vault: kv/other}}, {{secret: {{name: source}}}}]
    to:
      - secret: {{name: app}}
        serviceAccounts: [puller]
        reflect: {{namespaces: [{other}], rename: copy}}
",
            bao.addr()
        );
        scratch.write("keyferry.yaml", config);
        cluster.service_account(&own, "puller");
        Self {
            cluster,
            bao,
            scratch,
            own,
            other,
        }
    }

    fn account(&self) -> String {
        format!("{}/runner", self.own)
    }

    fn config(&self) -> PathBuf {
        self.scratch.path().join("keyferry.yaml")
    }

    /// keyferry as the account that is granted something.
    fn keyferry(&self) -> Run {
        let kubeconfig = self.cluster.service_account_kubeconfig(&self.own, "runner");
        keyferry()
            .dir(self.scratch.path())
            .env("KUBECONFIG", kubeconfig)
    }

    fn grant_vault(&self, more: &[&str]) -> Output {
        keyferry()
            .dir(self.scratch.path())
            .args(["grants", "vault", "--apply", "--token-file", "root-token"])
            .args(["--service-account", &self.account()])
            .args(more)
            .run()
    }

    /// As before the first pass: whatever a pass makes is gone.
    fn clean(&self) {
        for (namespace, name) in [(&self.own, "app"), (&self.other, "copy")] {
            let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
            self.cluster.request("DELETE", &path, None);
        }
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/puller", self.own);
        self.cluster.request("DELETE", &path, None);
        self.cluster.service_account(&self.own, "puller");
    }

    /// Replaces the rules of a Role.
    fn put(&self, role: &Value) {
        let namespace = role["metadata"]["namespace"].as_str().expect("a Role's");
        let name = role["metadata"]["name"].as_str().expect("a name");
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let path = format!("{rbac}/namespaces/{namespace}/roles/{name}");
        let (status, answer) = self.cluster.request("PUT", &path, Some(role));
        assert!(status < 300, "{answer}");
    }

    /// Waits until the server's authoriser has seen what was changed: so many rights are missing.
    fn await_missing(&self, count: usize) -> Output {
        let mut last = None;
        eventually(&format!("{count} missing rights"), PATIENCE, || {
            let output = self
                .keyferry()
                .args(["check", "--access", "-o", "json"])
                .run();
            let report: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
            let missing = report["access"]["missing"].as_array().map(|missing| {
                let needed = missing.iter().filter(|one| one["optional"] == false);
                needed.count()
            });
            let seen = missing == Some(count);
            last = Some(output);
            seen
        });
        last.expect("it was asked")
    }
}

/// A role without one verb of one name; the other names of its rule keep it.
fn without(role: &Value, resource: &str, name: &str, verb: &str) -> Value {
    let mut less = role.clone();
    let rules = less["rules"].as_array_mut().expect("rules");
    let mut kept = Vec::new();
    for rule in rules.drain(..) {
        let has = |field: &str, what: &str| {
            rule[field]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == what))
        };
        if !(has("resources", resource) && has("resourceNames", name) && has("verbs", verb)) {
            kept.push(rule);
            continue;
        }
        let other = |field: &str, what: &str| -> Vec<Value> {
            let all = rule[field].as_array().expect("a list");
            all.iter().filter(|one| *one != what).cloned().collect()
        };
        let mut of_others = rule.clone();
        of_others["resourceNames"] = json!(other("resourceNames", name));
        let mut of_this = rule.clone();
        of_this["resourceNames"] = json!([name]);
        of_this["verbs"] = json!(other("verbs", verb));
        for rule in [of_others, of_this] {
            let is_empty = |field: &str| rule[field].as_array().is_some_and(Vec::is_empty);
            if !is_empty("resourceNames") && !is_empty("verbs") {
                kept.push(rule);
            }
        }
    }
    *rules = kept;
    less
}

#[test]
fn a_pass_needs_each_verb_that_is_printed_and_no_other() {
    let runner = Runner::new();
    runner.grant_vault(&[]).expect(0);
    let text = manifests(&runner.config(), &runner.account(), &["--necessary"]);
    let roles = documents(&text);
    runner.cluster.apply_yaml(&runner.own, &text);
    runner.await_missing(0).expect(0);
    runner.keyferry().args(["job"]).run().expect(0);
    runner.keyferry().args(["job"]).run().expect(0);

    let all = rights(&roles);
    assert_eq!(all.len(), 9, "{all:?}");
    for (namespace, _, resource, name, verb) in all {
        let is_role = |object: &&Value| {
            object["kind"] == "Role" && object["metadata"]["namespace"] == namespace.as_str()
        };
        let role = roles.iter().find(is_role).expect("its Role");
        runner.put(&without(role, &resource, &name, &verb));
        runner.await_missing(1).expect(3);
        runner.clean();
        let failed = runner.keyferry().args(["job"]).run().expect(3);
        failed.assert_no_canary(&["grants-canary"]);
        let right = format!("may not {verb}");
        assert!(
            failed.stderr.contains(&right) && failed.stderr.contains(&name),
            "{verb} {resource} {namespace}/{name}: {}",
            failed.stderr
        );
        runner.put(role);
    }
    runner.await_missing(0).expect(0);
    runner.keyferry().args(["job"]).run().expect(0);
}

#[test]
fn a_pass_needs_each_path_of_its_policy() {
    let runner = Runner::new();
    runner.grant_vault(&[]).expect(0);
    let name = format!("runner-{}", runner.own);
    let stored = runner.bao.get(&format!("sys/policy/{name}"));
    let policy = stored["data"]["rules"]
        .as_str()
        .expect("a policy")
        .to_owned();
    let paths = ["kv/data/app", "kv/data/other"];
    let lines: Vec<String> = paths
        .iter()
        .map(|path| format!("path \"{path}\" {{ capabilities = [\"read\"] }}"))
        .collect();
    // The server said that `kv/other` lies in a mount of version 2.
    assert_eq!(
        policy,
        format!("# keyferry: {}\n{}\n", runner.account(), lines.join("\n"))
    );
    runner
        .cluster
        .apply_yaml(&runner.own, &kubernetes_of(&runner));
    runner.await_missing(0).expect(0);
    runner.keyferry().args(["job"]).run().expect(0);
    for path in paths {
        let less: Vec<&str> = policy.lines().filter(|line| !line.contains(path)).collect();
        runner.bao.policy(&name, &less.join("\n"));
        let checked = runner
            .keyferry()
            .args(["check", "--access"])
            .run()
            .expect(3);
        assert!(checked.stdout.contains(path), "{}", checked.stdout);
        let failed = runner.keyferry().args(["job"]).run().expect(3);
        let told = format!("may not read `{path}`");
        assert!(failed.stderr.contains(&told), "{}", failed.stderr);
    }
}

fn kubernetes_of(runner: &Runner) -> String {
    manifests(&runner.config(), &runner.account(), &[])
}

#[test]
fn a_refused_pass_tells_all_missing_rights_at_once_and_a_good_one_asks_nothing() {
    let runner = Runner::new();
    runner.grant_vault(&[]).expect(0);
    let failed = runner.keyferry().args(["job"]).run().expect(3);
    let missing = failed.stderr.matches("a right is missing").count();
    assert_eq!(missing, 9, "{}", failed.stderr);
    runner
        .cluster
        .apply_yaml(&runner.own, &kubernetes_of(&runner));
    runner.await_missing(0);
    let before = runner.bao.audited().len();
    runner.keyferry().args(["job"]).run().expect(0);
    let audited = runner.bao.audited();
    let asked = audited[before..]
        .iter()
        .any(|line| line.contains("capabilities-self"));
    assert!(!asked, "{:?}", &audited[before..]);
}

#[test]
fn vault_is_written_once_and_what_is_not_ours_is_left_alone() {
    let runner = Runner::new();
    let name = format!("runner-{}", runner.own);
    let shown = runner.grant_vault(&["--dry-run"]).expect(10);
    assert!(shown.stdout.contains(&format!("create  policy {name}")));
    let first = runner.grant_vault(&[]).expect(0);
    assert!(first.stderr.contains("2 written"), "{}", first.stderr);
    let again = runner.grant_vault(&[]).expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
    runner.grant_vault(&["--dry-run"]).expect(0);

    // Ours follows the configuration.
    let role = format!("auth/kubernetes/role/{name}");
    let longer = runner.grant_vault(&["--ttl", "20m"]).expect(0);
    assert!(
        longer.stdout.contains("- token_ttl=10m"),
        "{}",
        longer.stdout
    );
    assert_eq!(runner.bao.get(&role)["data"]["token_ttl"], 1200);

    // A person's policy is not.
    runner
        .bao
        .policy(&name, "path \"kv/*\" { capabilities = [\"read\"] }");
    let refused = runner.grant_vault(&["--ttl", "20m"]).expect(6);
    assert!(
        refused.stdout.contains("- path \"kv/*\""),
        "{}",
        refused.stdout
    );
    assert!(refused.stderr.contains("--adopt"), "{}", refused.stderr);
    let kept = runner.bao.get(&format!("sys/policy/{name}"));
    assert!(
        kept["data"]["rules"]
            .as_str()
            .is_some_and(|text| text.contains("kv/*"))
    );
    let adopted = runner.grant_vault(&["--ttl", "20m", "--adopt"]).expect(0);
    assert!(adopted.stdout.contains(&format!("adopt   policy {name}")));
    runner.grant_vault(&["--ttl", "20m"]).expect(0);

    // Nor is a role that also has a policy of somebody else.
    let more = json!({
        "bound_service_account_names": "runner", "bound_service_account_namespaces": runner.own,
        "audience": "vault", "token_policies": [name, "platform"], "token_ttl": "20m",
    });
    runner.bao.post(&role, &more);
    let refused = runner.grant_vault(&["--ttl", "20m"]).expect(6);
    assert!(
        refused.stdout.contains("refuse  role"),
        "{}",
        refused.stdout
    );
}

#[test]
fn who_may_not_write_policies_is_told_the_capability() {
    let runner = Runner::new();
    let token = runner
        .bao
        .token(&json!({"policies": ["platform"], "ttl": "1h"}));
    runner.scratch.write("root-token", token);
    let refused = runner.grant_vault(&[]).expect(3);
    let name = format!("sys/policy/runner-{}", runner.own);
    assert!(refused.stderr.contains(&name), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("capabilities"),
        "{}",
        refused.stderr
    );
}

/// The condition of a failed Job names an exit code; its Event says why.
#[test]
fn row_195_a_failed_pass_tells_its_job_why() {
    let runner = Runner::new();
    runner
        .cluster
        .apply_yaml(&runner.own, &kubernetes_of(&runner));
    eventually("the account may write Events", PATIENCE, || {
        runner
            .keyferry()
            .env("POD_NAMESPACE", &runner.own)
            .env("KEYFERRY_JOB_NAME", "sync")
            .env("KEYFERRY_JOB_UID", "1234")
            .args(["job"])
            .run()
            .expect(3);
        let path = format!("/api/v1/namespaces/{}/events/sync.denied", runner.own);
        runner.cluster.find(&path).is_some_and(|event| {
            assert_eq!(event["involvedObject"]["kind"], "Job");
            assert_eq!(event["involvedObject"]["apiVersion"], "batch/v1");
            assert_eq!(event["involvedObject"]["uid"], "1234");
            assert_eq!(event["reason"], "Denied");
            let message = event["message"].as_str().unwrap_or_default();
            message.contains("cannot log in with role")
        })
    });
}

/// The one role `platform` follows the configurations of all four, and each then runs with it.
#[test]
fn archpads_four_accounts_share_one_role_with_exactly_their_paths() {
    let cluster = Cluster::start_own();
    cluster.named_namespace("platform", &json!({}));
    let bao = archpad(&cluster);
    let scratch = Scratch::new("archpad-grants");
    let services = [
        "arch-repo-service",
        "hasura-sync-service",
        "registry-secret-sync",
        "tenant-service",
    ];
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/archpad/infra/timeweb/10-gitops/apps/backend");
    let with = |run: Run| {
        run.dir(scratch.path())
            .env("VAULT_ADDR", bao.addr())
            .env("SECRETS_DIR", scratch.path())
    };
    // The Job `hasura-vault-role`, as its manifests start it, with a role that may write only this.
    allow_role_job(&bao);
    let token = cluster.token("platform", "hasura-vault-role", "vault");
    let token = scratch.write("admin-token", token);
    let (_, objects) = rendered(&examples);
    let job = objects.iter().find(|object| object["kind"] == "Job");
    let job = &job.expect("a Job")["spec"]["template"]["spec"];
    assert_eq!(job["serviceAccountName"], "hasura-vault-role");
    let args: Vec<String> = job["containers"][0]["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .filter_map(Value::as_str)
        .map(|arg| match arg.strip_prefix("--config=/etc/keyferry/") {
            Some(file) => {
                let service = file.trim_end_matches(".yaml");
                let config = examples.join(service).join("keyferry.yaml");
                format!("--config={}", config.display())
            }
            None => arg.to_owned(),
        })
        .collect();
    let grant = |more: &[&str]| {
        let run = with(keyferry()).env("VAULT_JWT_FILE", &token);
        run.args(&args).args(more).run()
    };
    // The role was made by hand: it is taken over once.
    let refused = grant(&[]).expect(6);
    assert!(refused.stdout.contains("- path \"kv/data/archpad/demo/*\""));
    grant(&["--adopt"]).expect(0);
    let policy = bao.get("sys/policy/platform");
    let policy = policy["data"]["rules"].as_str().expect("a policy");
    let data = policy
        .lines()
        .filter(|line| line.starts_with("path \"kv/data/"));
    assert_eq!(data.count(), 7, "{policy}");
    assert!(!policy.contains('*'), "{policy}");
    let again = grant(&[]).expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
    for service in services {
        let token = scratch.write("token", cluster.token("platform", service, "vault"));
        let config = examples.join(service).join("keyferry.yaml");
        let account = format!("platform/{service}");
        let printed = manifests(&config, &account, &["--necessary"]);
        cluster.apply_yaml("platform", &printed);
        let kubeconfig = cluster.service_account_kubeconfig("platform", service);
        let run = |command: &[&str]| {
            with(keyferry())
                .env("KUBECONFIG", &kubeconfig)
                .env("VAULT_JWT_FILE", &token)
                .args(command)
                .args(["-c".into(), config.clone()])
                .run()
        };
        eventually(&format!("{service} may do its part"), PATIENCE, || {
            run(&["check", "--access", "--mode", "job"]).code == 0
        });
        run(&["job"]).expect(0);
    }
}
