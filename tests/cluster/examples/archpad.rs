//! archpad as its owners run it: their folders on a real API server under Pod Security
//! `restricted`, keyferry's part of each workload with a real OpenBao.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::archpad::{PASSWORD, allow_role_job, archpad};
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually, free_ports};
use crate::support::readme::{answered, mistakes};
use crate::support::run::{Output, Run, keyferry, variable};

use super::workload::{Part, applied};
use super::{example, says};

const BACKEND: &str = "archpad/infra/timeweb/10-gitops/apps/backend";
const SERVICES: [&str; 3] = ["arch-repo-service", "tenant-service", "hasura-sync-service"];

struct Archpad {
    cluster: Cluster,
    bao: OpenBao,
    scratch: Scratch,
}

impl Archpad {
    fn new() -> Self {
        let cluster = Cluster::start_own();
        let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        cluster.named_namespace("platform", &restricted);
        cluster.named_namespace("argocd", &json!({}));
        cluster.know("application-crd.yaml");
        let bao = archpad(&cluster);
        allow_role_job(&bao);
        Self {
            cluster,
            bao,
            scratch: Scratch::new("archpad"),
        }
    }

    fn applied(&self, folder: &str) -> Vec<Value> {
        applied(&self.cluster, &format!("{BACKEND}/{folder}"))
    }

    /// Of the call of a pod: its addresses and folders are here.
    fn here(&self, run: Run, name: &str) -> Run {
        let folder = self.secrets(name);
        fs::create_dir_all(&folder).expect("made");
        run.env("VAULT_ADDR", self.bao.addr())
            .env("SECRETS_DIR", folder)
    }

    fn secrets(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A configuration of theirs by hand, in its folder, as some account.
    fn by_hand(&self, command: &str, service: &str, account: &str) -> Output {
        let token = self.cluster.token("platform", account, "vault");
        let token = self.scratch.write("by-hand.jwt", token);
        let kubeconfig = self.cluster.service_account_kubeconfig("platform", account);
        let run = keyferry().dir(example(&format!("{BACKEND}/{service}")));
        let run = self.here(run, "by-hand").env("VAULT_JWT_FILE", token);
        let run = run.env("KUBECONFIG", kubeconfig);
        run.args([command, "--config", "keyferry.yaml"]).run()
    }

    fn docker(&self) -> Value {
        let secret = self
            .cluster
            .secret("platform", "archpad-registry-secret")
            .expect("created");
        assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
        let value =
            self.cluster
                .secret_value("platform", "archpad-registry-secret", ".dockerconfigjson");
        serde_json::from_slice(&value.expect("there")).expect("JSON")
    }
}

#[test]
fn archpads_applications_come_in_their_order_and_each_part_of_them_runs() {
    let archpad = Archpad::new();
    let applications = archpad.applied("..");
    let mut waves: Vec<(i64, String)> = applications
        .iter()
        .map(|application| {
            let metadata = &application["metadata"];
            let wave = metadata["annotations"]["argocd.argoproj.io/sync-wave"].as_str();
            let path = application["spec"]["source"]["path"].as_str();
            let folder = path.expect("a path").trim_start_matches("infra/");
            assert!(example(&format!("archpad/infra/{folder}/kustomization.yaml")).exists());
            let name = metadata["name"].as_str().expect("a name").to_owned();
            (wave.expect("a wave").parse().expect("a number"), name)
        })
        .collect();
    waves.sort();
    let order = [
        (-3, "hasura-vault-role"),
        (-2, "registry-secret-sync-access"),
        (-1, "registry-secret-sync"),
        (0, "arch-repo-service"),
        (0, "hasura-sync-service"),
        (0, "tenant-service"),
    ];
    assert_eq!(waves, order.map(|(wave, name)| (wave, name.to_owned())));

    // Wave -3. The role was made by hand: it is taken over once.
    let role = Part::of(&archpad.cluster, &archpad.applied("."), "hasura-vault-role");
    let keep = |more: &[&str]| archpad.here(role.call().args(more), "role").run();
    keep(&[]).expect(6);
    keep(&["--adopt"]).expect(0);
    says(&keep(&[]).expect(0), "nothing to do");
    let role = archpad.bao.get("auth/kubernetes/role/platform");
    let bound = role["data"]["bound_service_account_names"].as_array();
    assert_eq!(bound.expect("names").len(), 4, "{role}");

    // Waves -2 and -1.
    let access = archpad.applied("registry-secret-sync-access");
    assert!(
        access
            .iter()
            .all(|object| object["metadata"]["annotations"].is_null()),
        "no hook"
    );
    let sync = archpad.applied("registry-secret-sync");
    its_configuration_is_a_hook_that_a_tracked_object_repeats(&sync);
    let sync = Part::of(&archpad.cluster, &sync, "registry-secret-sync");
    let run = || archpad.here(sync.call(), "registry").run();
    eventually("the Role is known", Duration::from_secs(30), || {
        run().code == 0
    });
    assert_eq!(
        archpad.docker()["auths"]["cr.example.com"]["password"],
        PASSWORD
    );
    let again = run().expect(0);
    says(&again, "nothing changed");
    again.assert_no_canary(&[PASSWORD]);
    archpad.bao.put(
        "container-register",
        &json!({"server": "cr.example.com", "username": "robot", "password": "rotated"}),
    );
    run().expect(0);
    assert_eq!(
        archpad.docker()["auths"]["cr.example.com"]["password"],
        "rotated"
    );

    // Wave 0.
    for service in SERVICES {
        let objects = archpad.applied(service);
        let part = Part::of(&archpad.cluster, &objects, service);
        let file = archpad.secrets(service).join("app.env");
        let [port] = free_ports();
        let call = archpad.here(part.call(), service);
        let call = call.env("KEYFERRY_LISTEN", format!("127.0.0.1:{port}"));
        let stays = service == "arch-repo-service";
        let going = call.start();
        if stays {
            eventually("delivered", Duration::from_secs(30), || file.exists());
        }
        let going = match stays {
            true => Some(going),
            false => {
                let output = going.finish().expect(0);
                output.assert_no_canary(&[PASSWORD, "hasura-canary"]);
                None
            }
        };
        assert_eq!(
            variable(&file, "DATABASE_URL"),
            "postgresql://arch:p%40ss%2Fw%3Ard%231%20%25@pg:5432/archpad"
        );
        assert_eq!(variable(&file, "PG_password"), PASSWORD);
        assert_eq!(
            (variable(&file, "SERVICE"), variable(&file, "PORT")),
            (service.to_owned(), "3001".to_owned()),
            "its own settings win"
        );
        let hasura = variable(&file, "HASURA_ADMIN_SECRET");
        assert_eq!(
            hasura,
            if service == "hasura-sync-service" {
                "hasura-canary"
            } else {
                ""
            }
        );
        if let Some(going) = going {
            archpad.bao.put(
                "archpad/demo/backend/arch-repo-service",
                &json!({"SERVICE": service, "PORT": "3001", "NEW": "followed"}),
            );
            going.signal(Signal::HUP);
            eventually("followed", Duration::from_secs(30), || {
                variable(&file, "NEW") == "followed"
            });
            going.signal(Signal::TERM);
            going.finish().expect(0);
        }
    }
}

/// Argo CD compares no hook: the tracked copy makes an edit of the configuration visible.
fn its_configuration_is_a_hook_that_a_tracked_object_repeats(objects: &[Value]) {
    let find = |kind: &str, name: &str| {
        let is_it = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == name;
        objects.iter().find(is_it).expect("it is there")
    };
    let argo = |of: &Value, name: &str| {
        let annotations = &of["metadata"]["annotations"];
        annotations[format!("argocd.argoproj.io/{name}")].clone()
    };
    let config = find("ConfigMap", "keyferry");
    let tracked = find("ConfigMap", "keyferry-tracked");
    let job = find("Job", "registry-secret-sync");
    assert_eq!(objects.len(), 3, "ServiceAccount and Role are elsewhere");
    for hook in [config, job] {
        assert_eq!(argo(hook, "hook"), "PreSync");
    }
    let wave = |of: &Value| -> i64 {
        let wave = argo(of, "sync-wave");
        wave.as_str().expect("a wave").parse().expect("a number")
    };
    assert!(wave(config) < wave(job));
    assert_eq!(argo(tracked, "hook"), Value::Null);
    assert_eq!(tracked["data"], config["data"]);
}

#[test]
fn archpads_readme_shows_what_keyferry_says() {
    let archpad = Archpad::new();
    let [unbound, lacking, foreign] = mistakes("archpad");
    let stranger = archpad.by_hand("init", "tenant-service", "billing-service");
    answered(&unbound, &stranger.expect(3));
    archpad.bao.policy(
        "platform",
        "path \"kv/data/archpad/demo/backend/*\" { capabilities = [\"read\"] }\npath \
         \"kv/data/container-register\" { capabilities = [\"read\"] }",
    );
    let denied = archpad.by_hand("init", "tenant-service", "tenant-service");
    answered(&lacking, &denied.expect(3));
    archpad.applied("registry-secret-sync-access");
    archpad.cluster.create(
        "/api/v1/namespaces/platform/secrets",
        &json!({"metadata": {"name": "archpad-registry-secret"}, "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": "{\"auths\":{}}"}}),
    );
    let sync = || archpad.by_hand("job", "registry-secret-sync", "registry-secret-sync");
    eventually("the Role is known", Duration::from_secs(30), || {
        sync().code == 6
    });
    answered(&foreign, &sync());
}
