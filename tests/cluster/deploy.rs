//! What `deploy/` holds is accepted by a real API server where Pod Security `restricted` is
//! enforced, without a warning.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keyferry::base::failure::Class;
use keyferry::config::environment::Outside;
use keyferry::config::load::load;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::http::{Answer, Client};
use crate::support::kustomize::rendered;
use crate::support::process::{Scratch, poll};

const KITS: [&str; 5] = [SYNC, PRESYNC, "cronjob", "init", "sidecar"];
const SYNC: &str = "argocd-job/sync";
const PRESYNC: &str = "argocd-job/presync";
/// What an earlier application applies for the PreSync Job.
const ACCESS: &str = "argocd-job/access";

/// Those whose service never calls the Kubernetes API, so that its token is kept from it.
const FILES_ONLY: [&str; 2] = ["init", "sidecar"];

fn folder(kit: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(kit)
}

/// Every object of a kit, and of the application before it where there is one.
fn objects(kit: &str) -> Vec<Value> {
    let folders = [ACCESS].into_iter().filter(|_| kit == PRESYNC).chain([kit]);
    let objects = folders.flat_map(|kit| rendered(&folder(kit)).1);
    objects.collect()
}

/// The pod template of a workload, wherever its kind has it.
fn template(object: &Value) -> Option<&Value> {
    let inner = match object["kind"].as_str()? {
        "CronJob" => &object["spec"]["jobTemplate"]["spec"],
        "Job" | "Deployment" => &object["spec"],
        _ => return None,
    };
    Some(&inner["template"])
}

fn workload(kit: &str) -> Value {
    let mut found = objects(kit)
        .into_iter()
        .filter(|object| template(object).is_some());
    found
        .next()
        .unwrap_or_else(|| panic!("{kit} has a workload"))
}

/// Its answer must be good and without a single warning.
fn accepted(what: &str, answer: &Answer) {
    assert!(
        answer.status < 300,
        "{what}: {} {}",
        answer.status,
        answer.json()
    );
    let warnings: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "warning")
        .collect();
    assert!(warnings.is_empty(), "{what}: {warnings:?}");
}

fn pod_name(kit: &str) -> String {
    kit.replace('/', "-")
}

struct Api {
    cluster: Cluster,
    client: Client,
}

impl Api {
    /// A cluster of its own, because the manifests name their namespace.
    fn restricted() -> Self {
        let cluster = Cluster::start_own();
        let labels = json!({
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        });
        cluster.named_namespace("platform", &labels);
        let url = cluster.url();
        let port = url
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("a port");
        let ca = std::fs::read_to_string(cluster.ca_file()).expect("an authority");
        let token = format!("Bearer {}", cluster.admin_token());
        let client = Client::tls(port, &ca).with("Authorization", &token);
        Self { cluster, client }
    }

    fn send(&self, method: &str, path: &str, object: &Value) -> Answer {
        let kind = if method == "PATCH" {
            "application/apply-patch+yaml"
        } else {
            "application/json"
        };
        let body = object.to_string();
        self.client
            .call(method, path, kind, body.as_bytes())
            .expect("the API server answers")
    }

    fn apply(&self, object: &Value) -> Answer {
        let text = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("text: {object}"))
                .to_owned()
        };
        assert_eq!(object["metadata"]["namespace"], "platform");
        let version = text(&object["apiVersion"]);
        let root = if version.contains('/') { "apis" } else { "api" };
        let resource = format!("{}s", text(&object["kind"]).to_lowercase());
        let name = text(&object["metadata"]["name"]);
        let path = format!(
            "/{root}/{version}/namespaces/platform/{resource}/{name}?fieldManager=test&force=true&fieldValidation=Strict"
        );
        self.send("PATCH", &path, object)
    }

    /// A pod as the workload's controller would make it.
    fn pod(&self, kit: &str, template: &Value) -> Answer {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod_name(kit), "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        });
        self.send(
            "POST",
            "/api/v1/namespaces/platform/pods?fieldValidation=Strict",
            &pod,
        )
    }
}

#[test]
fn every_manifest_is_accepted_under_restricted_pod_security() {
    let api = Api::restricted();
    for kit in KITS {
        for object in objects(kit) {
            accepted(&format!("{kit} {}", object["kind"]), &api.apply(&object));
        }
        let workload = workload(kit);
        let template = template(&workload).expect("a workload");
        accepted(&format!("the pod of {kit}"), &api.pod(kit, template));
        let stored = api
            .cluster
            .find(&format!(
                "/api/v1/namespaces/platform/pods/{}",
                pod_name(kit)
            ))
            .expect("made");
        let mounts: Vec<&Value> = stored["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|container| container["volumeMounts"].as_array().into_iter().flatten())
            .filter(|mount| mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount")
            .collect();
        assert_eq!(
            mounts.len(),
            usize::from(!FILES_ONLY.contains(&kit)),
            "the API's token is mounted only where the API is used: {kit}"
        );
    }
    rights_are_no_more_than_said(&api.cluster);
    let pod = documented_pod();
    let made = api.send(
        "POST",
        "/api/v1/namespaces/platform/pods?fieldValidation=Strict",
        &pod,
    );
    accepted("the pod of docs/install.md", &made);
    // The same namespace refuses what is only a little less careful, or all of the above would show
    // nothing.
    let workload = workload(SYNC);
    let mut careless = template(&workload).expect("a workload").clone();
    careless["spec"]["securityContext"]["seccompProfile"] = Value::Null;
    let answer = api.pod("careless", &careless);
    assert_eq!(answer.status, 403, "{}", answer.json());
}

/// The pod that starts with `install` and `exec`.
fn documented_pod() -> Value {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/install.md");
    let text = std::fs::read_to_string(page).expect("a page");
    let block = text
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let pod: Value = serde_saphyr::from_str(block.expect("a pod")).expect("YAML");
    let [installs, app] = ["initContainers", "containers"].map(|list| &pod["spec"][list][0]);
    assert_eq!(installs["args"][0], "install");
    let started = app["command"][0].as_str().expect("a program");
    let folder = installs["args"][1].as_str().expect("a folder");
    assert_eq!(started.strip_prefix(folder), Some("/keyferry"));
    pod
}

/// As the server itself lists them, without those that everyone has for asking about oneself.
fn rights_are_no_more_than_said(cluster: &Cluster) {
    for (account, want) in [
        ("registry-secret-sync", of_a_job()),
        (
            "arch-repo-service",
            json!([{"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]}]),
        ),
    ] {
        let token = cluster.token("platform", account, "");
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let rights = || {
            let question = json!({"spec": {"namespace": "platform"}});
            let (_, answer) = cluster.request_as(&token, "POST", path, Some(&question));
            let rules = answer["status"]["resourceRules"].as_array().cloned();
            let about_oneself = |rule: &Value| {
                let group = rule["apiGroups"][0].as_str().unwrap_or_default();
                group == "authorization.k8s.io" || group == "authentication.k8s.io"
            };
            rules
                .unwrap_or_default()
                .into_iter()
                .filter(|rule| !about_oneself(rule))
                .collect::<Value>()
        };
        let limit = Duration::from_secs(30);
        let mut last = Value::Null;
        let seen = poll(limit, || {
            last = rights();
            are(&last, &want).then_some(())
        });
        assert!(seen.is_some(), "{account} has {last}, not {want}");
    }
}

/// One Secret by its name, and the Events that say why a Job failed.
fn of_a_job() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["secrets"],
         "resourceNames": ["archpad-registry-secret"], "verbs": ["get", "create", "patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ])
}

/// Whether the rules are these: the server tells them in any order.
fn are(rules: &Value, wanted: &Value) -> bool {
    let [rules, wanted] = [rules, wanted].map(|rules| rules.as_array().expect("rules"));
    rules.len() == wanted.len() && wanted.iter().all(|rule| rules.contains(rule))
}

#[test]
fn the_role_is_for_one_secret_and_the_job_ends_as_our_exit_codes_say() {
    for kit in [SYNC, PRESYNC, "cronjob"] {
        let objects = objects(kit);
        let role = objects
            .iter()
            .find(|object| object["kind"] == "Role")
            .expect("a Role");
        assert_eq!(role["rules"], of_a_job(), "{kit}");

        let workload = workload(kit);
        let job = if kit == "cronjob" {
            &workload["spec"]["jobTemplate"]["spec"]
        } else {
            &workload["spec"]
        };
        let codes = |action: &str| -> Vec<u64> {
            let rules = job["podFailurePolicy"]["rules"].as_array().expect("rules");
            let rules = rules.iter().filter(|rule| rule["action"] == action);
            rules
                .flat_map(|rule| {
                    rule["onExitCodes"]["values"]
                        .as_array()
                        .cloned()
                        .unwrap_or_default()
                })
                .map(|code| code.as_u64().expect("a code"))
                .collect()
        };
        let of = |classes: &[Class]| -> Vec<u64> {
            classes
                .iter()
                .map(|class| class.exit_code().into())
                .collect()
        };
        use Class::{Corrupt, Denied, Missing, Refused, Sink, Unavailable, Usage};
        assert_eq!(
            codes("FailJob"),
            of(&[Usage, Denied, Missing, Corrupt, Refused]),
            "{kit}"
        );
        assert_eq!(codes("Count"), of(&[Unavailable, Sink]), "{kit}");

        // Each try ends by itself, and so do all tries with the pauses of the Job controller (10,
        // 20, 40 s).
        let tries = job["backoffLimit"].as_u64().expect("a number") + 1;
        let pauses: u64 = (0..tries - 1).map(|at| 10 << at).sum();
        let limit = job["activeDeadlineSeconds"].as_u64().expect("a number");
        assert!(
            limit > tries * deadline(&job["template"]) + pauses,
            "{kit}: {limit} s"
        );
    }
}

/// Seconds of `--deadline`.
fn deadline(template: &Value) -> u64 {
    let args = template["spec"]["containers"][0]["args"]
        .as_array()
        .expect("arguments");
    let at = args
        .iter()
        .position(|arg| arg == "--deadline")
        .expect("a deadline");
    let text = args[at + 1].as_str().expect("a duration");
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        _ => panic!("{text}: seconds or minutes"),
    };
    number.parse::<u64>().expect("a number") * unit
}

#[test]
fn no_pod_can_write_its_image_or_take_vaults_token_for_another_use() {
    for kit in KITS {
        let workload = workload(kit);
        let spec = &template(&workload).expect("a workload")["spec"];
        let all = ["initContainers", "containers"]
            .map(|name| spec[name].as_array().cloned().unwrap_or_default());
        for container in all.concat() {
            let mounts = container["volumeMounts"].as_array().into_iter().flatten();
            let tokens = mounts.filter(|mount| {
                let path = mount["mountPath"].as_str().unwrap_or_default();
                path.starts_with("/var/run/secrets/")
            });
            assert!(
                tokens.count() == 0 || container["name"] == "keyferry",
                "{kit} {}: only keyferry has tokens",
                container["name"]
            );
            let json = json!({"name": "KEYFERRY_LOG_FORMAT", "value": "json"});
            let said = container["env"].as_array().into_iter().flatten();
            assert_eq!(
                said.filter(|one| **one == json).count(),
                usize::from(container["name"] == "keyferry"),
                "{kit} {}: keyferry logs JSON",
                container["name"]
            );
            assert_eq!(
                container["securityContext"]["readOnlyRootFilesystem"], true,
                "{kit} {}",
                container["name"]
            );
            assert!(
                container["resources"]["limits"]["memory"].is_string(),
                "{kit} {}",
                container["name"]
            );
        }
        let volumes = spec["volumes"].as_array().expect("volumes");
        let token = volumes
            .iter()
            .find(|volume| volume["name"] == "vault-token")
            .expect("a token for Vault");
        let source = json!({"path": "token", "audience": "vault", "expirationSeconds": 600});
        assert_eq!(
            token["projected"]["sources"],
            json!([{"serviceAccountToken": source}]),
            "{kit}"
        );
        assert_eq!(
            spec["automountServiceAccountToken"],
            !FILES_ONLY.contains(&kit),
            "{kit}"
        );
    }
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][format!("argocd.argoproj.io/{name}")].as_str()
}

fn wave(object: &Value) -> i64 {
    let wave = annotation(object, "sync-wave").map(|wave| wave.parse().expect("a number"));
    wave.unwrap_or_default()
}

#[test]
fn the_job_comes_after_what_it_needs_and_only_jobs_are_made_again() {
    let objects = objects(SYNC);
    for object in &objects {
        let is_job = object["kind"] == "Job";
        assert_eq!(annotation(object, "hook"), is_job.then_some("Sync"));
        assert_eq!(wave(object), if is_job { -1 } else { -2 });
    }
    assert_eq!(objects.len(), 5, "each object has been looked at");
}

#[test]
fn the_presync_job_reads_a_hook_that_a_tracked_object_repeats() {
    let (_, access) = rendered(&folder(ACCESS));
    assert!(
        access
            .iter()
            .all(|object| annotation(object, "hook").is_none())
    );
    let (_, objects) = rendered(&folder(PRESYNC));
    let [config, tracked, job] = objects.as_slice() else {
        panic!("two ConfigMaps and a Job");
    };
    for hook in [config, job] {
        assert_eq!(annotation(hook, "hook"), Some("PreSync"));
        let policy = annotation(hook, "hook-delete-policy");
        assert_eq!(policy, Some("BeforeHookCreation"));
    }
    assert!(wave(config) < wave(job));
    assert_eq!(annotation(tracked, "hook"), None);
    assert_eq!(tracked["data"], config["data"]);
}

#[test]
fn while_vault_is_away_a_job_of_argo_cd_fails_within_three_minutes() {
    for kit in [SYNC, PRESYNC] {
        let limit = &workload(kit)["spec"]["activeDeadlineSeconds"];
        assert!(limit.as_u64().is_some_and(|limit| limit <= 180), "{kit}");
    }
}

#[test]
fn the_configurations_are_what_keyferry_reads() {
    for kit in KITS {
        let objects = objects(kit);
        let map = objects
            .iter()
            .find(|object| object["kind"] == "ConfigMap")
            .expect("a ConfigMap");
        let text = map["data"]["keyferry.yaml"]
            .as_str()
            .expect("a configuration");
        let outside = Outside {
            env: &|_| None,
            read: &|_| Ok(text.to_owned()),
            list: &|_| Ok(None),
            root: None,
        };
        let config = match load(&["keyferry.yaml".into()], &outside) {
            Ok(config) => config,
            Err(problems) => panic!("{kit}: {problems:?}"),
        };
        assert_eq!(config.deliveries.len(), 1, "{kit}");
    }
}

/// A job of a CronJob is the Job, with more time.
#[test]
fn the_job_of_the_cron_job_is_the_job() {
    let mut one = workload(SYNC)["spec"].clone();
    let mut each = workload("cronjob")["spec"]["jobTemplate"]["spec"].clone();
    for job in [&mut one, &mut each] {
        for longer in ["activeDeadlineSeconds", "backoffLimit"] {
            assert!(job[longer].is_u64(), "{longer}");
            job[longer] = Value::Null;
        }
        let pod = &mut job["template"]["spec"];
        assert!(deadline(&json!({"spec": pod})) > 0);
        pod["containers"][0]["args"][4] = Value::Null;
        // Its name has a hash in the kit that rolls out edits.
        let config = &mut pod["volumes"][0]["configMap"]["name"];
        assert!(
            config
                .as_str()
                .is_some_and(|name| name.starts_with("keyferry"))
        );
        *config = Value::Null;
    }
    assert_eq!(one, each);
}

/// What a user writes beside our files, none of which is touched.
#[test]
fn an_overlay_sets_image_namespace_configuration_and_authority() {
    let scratch = Scratch::new("overlay");
    let real = scratch.path().canonicalize().expect("a folder");
    let up = "../".repeat(real.components().count() - 1);
    let ours = format!("{up}{}/deploy", &env!("CARGO_MANIFEST_DIR")[1..]);
    scratch.write("keyferry.yaml", b"name: mine\n");
    scratch.write("ca.crt", b"authority\n");
    for (component, resources) in [
        ("job", "argocd-job/access"),
        ("cronjob", "argocd-job/access"),
        ("init", "init"),
        ("sidecar", "sidecar"),
        ("reflector", ""),
    ] {
        let workload = ["init", "sidecar"].contains(&component);
        // A workload of theirs: that of the kit, before our component.
        let resources = match resources {
            "" => String::new(),
            kit if workload => {
                let text = std::fs::read(folder(kit).join("deployment.yaml")).expect("theirs");
                scratch.write("deployment.yaml", &text);
                "resources: [deployment.yaml]\n".to_owned()
            }
            kit => format!("resources: [{ours}/{kit}]\n"),
        };
        let text = format!(
            "namespace: team\n{resources}components: [{ours}/kustomize/{component}]\n\
             images: [{{name: keyferry, newName: registry.example/kf, digest: 'sha256:12'}}]\n\
             configMapGenerator:\n- {{name: keyferry, files: [keyferry.yaml]}}\n\
             - {{name: vault-ca, files: [ca.crt]}}\n"
        );
        scratch.write("kustomization.yaml", text.as_bytes());
        let (_, objects) = rendered(&real);
        for object in &objects {
            let scope = object["kind"].as_str().expect("a kind");
            let want = (!scope.starts_with("Cluster")).then_some("team");
            assert_eq!(object["metadata"]["namespace"].as_str(), want, "{object}");
            for subject in object["subjects"].as_array().into_iter().flatten() {
                assert_eq!(subject["namespace"], "team", "{object}");
            }
        }
        let name = |prefix: &str| {
            let maps = objects.iter().filter(|one| one["kind"] == "ConfigMap");
            let mut names = maps.filter_map(|map| map["metadata"]["name"].as_str());
            let found = names.find(|name| name.starts_with(prefix));
            found.expect("a ConfigMap").to_owned()
        };
        let found = objects.iter().find_map(template).expect("a workload");
        let pod = &found["spec"];
        let lists = ["initContainers", "containers"].map(|key| &pod[key]);
        let all = lists.into_iter().filter_map(Value::as_array).flatten();
        let ours: Vec<&Value> = all.filter(|one| one["name"] == "keyferry").collect();
        assert_eq!(ours.len(), 1, "{component}");
        assert_eq!(ours[0]["image"], "registry.example/kf@sha256:12");
        let volumes = pod["volumes"].as_array().expect("volumes");
        let mounted = |volume: &str| {
            let found = volumes.iter().find(|one| one["name"] == volume);
            found.map(|one| one["configMap"]["name"].as_str().expect("a name"))
        };
        assert_eq!(mounted("config"), Some(name("keyferry").as_str()));
        let authority = name("vault-ca");
        let want = (component != "reflector").then_some(authority.as_str());
        assert_eq!(mounted("vault-ca"), want, "{component}");
    }
}

#[test]
fn the_image_holds_a_binary_and_runs_as_nobody() {
    let text = std::fs::read_to_string(folder("Dockerfile")).expect("a Dockerfile");
    let (_, last) = text
        .split_once("\nFROM scratch\n")
        .expect("the last stage starts from nothing");
    let words: Vec<&str> = last.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        words,
        [
            "COPY --from=build /image/ /",
            "USER 65532:65532",
            "ENTRYPOINT [\"/keyferry\"]"
        ]
    );
    assert!(text.contains("install -D \"$(deploy/build)\" /image/keyferry"));
}
