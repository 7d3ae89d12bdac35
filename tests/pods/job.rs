//! One pass in a pod: the Job of Argo CD, how it fails, the CronJob, and a Job beside which a
//! sidecar runs.

use serde_json::Value;

use super::kit::Kit;
use crate::support::archpad::PASSWORD;

const JOB: &str = "job/registry-secret-sync";

/// What became of the pod's only container, once it ended.
fn ended(kit: &Kit) -> Value {
    kit.await_that("the pod ends", || {
        let pods = kit.ask(&["get", "pods", "-o", "json"])?;
        let pods: Value = serde_json::from_str(&pods).unwrap();
        let mut states = pods["items"].as_array()?.iter();
        states.find_map(|pod| {
            let state = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
            (!state.is_null()).then(|| state.clone())
        })
    })
}

#[test]
fn the_job_of_argo_cd_delivers_and_a_refused_one_fails_at_once_with_its_reason() {
    let kit = Kit::apply("deploy/argocd-job/sync", "argocd-job", |text| text);
    kit.await_condition(JOB, "Complete");
    let secret = kit.secret("archpad-registry-secret", ".dockerconfigjson");
    assert!(secret.unwrap().contains("cr.example.com"));
    assert!(!kit.kubectl(&["logs", JOB]).contains(PASSWORD));

    let bao = &kit.node.bao;
    let again = || {
        kit.kubectl(&["delete", JOB, "--wait"]);
        kit.again();
        let ended = ended(&kit);
        kit.await_condition(JOB, "Failed");
        let pods = kit.kubectl(&["get", "pods", "-o", "name"]);
        assert_eq!(pods.lines().count(), 1, "it was tried again: {pods}");
        ended
    };
    let rows: [(&str, i64, &dyn Fn()); 2] = [
        ("missing", 4, &|| {
            bao.delete("kv/metadata/container-register");
        }),
        ("denied", 3, &|| {
            bao.delete("auth/kubernetes/role/argocd-job");
        }),
    ];
    for (class, code, breaks) in rows {
        breaks();
        let ended = again();
        assert_eq!(ended["exitCode"], code, "{ended}");
        let message = ended["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(class), "{class}: {message}");
        let events = kit.kubectl(&["describe", JOB]);
        assert!(events.contains(class), "{events}");
        // A source that is gone takes nothing away.
        assert!(
            kit.secret("archpad-registry-secret", ".dockerconfigjson")
                .is_some()
        );
    }
}

#[test]
fn the_cron_job_delivers_at_its_time() {
    let kit = Kit::apply("deploy/cronjob", "cronjob", |text| {
        text.replace("'*/15 * * * *'", "'* * * * *'")
            .replace("*/15 * * * *", "* * * * *")
            .replace("container-register", "cron-register")
    });
    let data =
        serde_json::json!({"server": "cr.example.com", "username": "robot", "password": "x"});
    kit.node.bao.put("cron-register", &data);
    kit.await_that("the Secret is there", || {
        kit.secret("archpad-registry-secret", ".dockerconfigjson")
    });
}

#[test]
fn a_job_completes_whose_keyferry_is_an_ordinary_container() {
    let kit = Kit::apply_text(
        r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: migrate, namespace: platform}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: keyferry, namespace: platform}
data:
  keyferry.yaml: |
    sidecar: {endWith: {process: migrate}}
    deliveries:
      - {name: app, fields: {A: b}, to: [{file: {path: /secrets/app.env}}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: platform}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      shareProcessNamespace: true
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: keyferry
          image: keyferry:0.1.0
          args: [sidecar, --config, /etc/keyferry/keyferry.yaml]
          securityContext: {runAsGroup: 1001, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: config, mountPath: /etc/keyferry}, {name: secrets, mountPath: /secrets}]
        - name: migrate
          image: arch-repo-service:0.1.0
          command: [/bin/migrate]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: secrets, mountPath: /secrets}]
      volumes:
        - {name: config, configMap: {name: keyferry}}
        - {name: secrets, emptyDir: {medium: Memory}}
"#,
        "end-with",
        |text| text,
    );
    kit.await_condition("job/migrate", "Complete");
    let logs = kit.kubectl(&["logs", "job/migrate", "-c", "keyferry"]);
    assert!(logs.contains("the process to end with is gone"), "{logs}");
}
