//! A service beside keyferry: init container, sidecar, and an image that knows nothing of it.

use std::path::Path;

use super::kit::Kit;
use crate::support::node::Node;

const DEPLOYMENT: &str = "deployment/arch-repo-service";

/// The last line of the service that begins with this word.
pub(super) fn said(kit: &Kit, of: &str, container: &str, word: &str) -> Option<String> {
    let logs = kit.ask(&["logs", of, "-c", container])?;
    let mut lines = logs.lines().rev();
    let line = lines.find_map(|line| line.strip_prefix(word))?;
    Some(line.trim().to_owned())
}

#[test]
fn the_service_starts_after_the_init_container_with_what_it_delivered() {
    let kit = Kit::apply("deploy/init", "init", |text| text);
    kit.await_condition(DEPLOYMENT, "Available");
    let names = kit.await_that("it tells its names", || {
        said(&kit, DEPLOYMENT, "arch-repo-service", "names:")
    });
    for name in ["DATABASE_URL", "PORT", "LOG_LEVEL", "PG_password"] {
        assert!(names.contains(name), "{name}: {names}");
    }
}

#[test]
fn the_sidecar_delivers_a_change_and_the_service_starts_with_it() {
    let faster = |text: String| text.replace("refresh: 1m", "refresh: 2s");
    let kit = Kit::apply("deploy/sidecar", "sidecar", faster);
    kit.await_condition(DEPLOYMENT, "Available");
    let sum = || said(&kit, DEPLOYMENT, "arch-repo-service", "sum:");
    let before = kit.await_that("it tells the sum of its file", sum);
    let again = kit.await_that("it tells it again", sum);
    assert_eq!(before, again);
    kit.node.bao.put(
        "archpad/demo/backend/arch-repo-service",
        &serde_json::json!({"PORT": "3002"}),
    );
    kit.await_that("the service starts with another file", || {
        sum().filter(|sum| *sum != before)
    });
    let pod = kit.kubectl(&["get", "pods", "-o", "json"]);
    let pod: serde_json::Value = serde_json::from_str(&pod).unwrap();
    let status = &pod["items"][0]["status"];
    assert_eq!(status["containerStatuses"][0]["restartCount"], 1);
    assert_eq!(status["initContainerStatuses"][0]["restartCount"], 0);
}

#[test]
fn a_program_of_any_image_starts_with_its_environment_and_again_after_a_change() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/install.md");
    let page = std::fs::read_to_string(page).unwrap();
    let pod = page.split("```yaml\n").nth(1).unwrap();
    let pod = pod.split("```").next().unwrap();
    let node = Node::shared();
    let authority = std::fs::read_to_string(node.bao.ca_file()).unwrap();
    let authority = authority.replace('\n', "\n    ");
    let manifests = format!(
        r#"
apiVersion: v1
kind: ServiceAccount
metadata: {{name: arch-repo-service, namespace: platform}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: any-image-keyferry, namespace: platform}}
data:
  ca.crt: |
    {authority}
  keyferry.yaml: |
    vault:
      address: https://vault.vault.svc:8200
      caFile: ca.crt
      auth: {{kubernetes: {{role: platform, tokenFile: /var/run/secrets/vault/token}}}}
    sidecar: {{refresh: 2s}}
    deliveries:
      - name: app
        from: [{{vault: kv/data/any-image}}]
---
{pod}"#
    );
    let put = |password: &str| {
        let data = serde_json::json!({"DATABASE_PASSWORD": password});
        node.bao.put("any-image", &data);
    };
    put("first");
    let kit = Kit::apply_text(&manifests, "install", |text| {
        text.replace("registry.example/app:1.0.0", "arch-repo-service:0.1.0")
            .replace("/app/server", "/bin/node")
    });
    let sum = || said(&kit, "pod/any-image", "app", "password:");
    let before = kit.await_that("it tells the sum of its password", sum);
    put("second");
    kit.await_that("it starts again with the other password", || {
        sum().filter(|sum| *sum != before)
    });
    let restarts = "jsonpath={.status.containerStatuses[0].restartCount}";
    let restarts = kit.kubectl(&["get", "pod", "any-image", "-o", restarts]);
    assert_eq!(
        restarts, "0",
        "the program starts again, its container does not"
    );
}
