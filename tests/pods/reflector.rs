//! The reflector with two replicas, of which one works.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::kit::Kit;

#[test]
fn a_copy_follows_its_source_also_after_the_leader_is_gone() {
    let kit = Kit::apply("deploy/reflector", "keyferry", |text| text);
    kit.await_condition("deployment/keyferry-reflector", "Available");
    let source = |password: &str| {
        kit.node.apply(&format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: copied-from}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: copied-to}}
---
apiVersion: v1
kind: Secret
metadata:
  name: shared
  namespace: copied-from
  annotations:
    reflector.v1.k8s.emberstack.com/reflection-allowed: 'true'
    reflector.v1.k8s.emberstack.com/reflection-auto-enabled: 'true'
    reflector.v1.k8s.emberstack.com/reflection-auto-namespaces: copied-to
stringData: {{password: {password}}}
"
        ));
    };
    let copied = |password: &str| {
        let want = STANDARD.encode(password);
        kit.await_that("the copy is there", || {
            let args = [
                "-n",
                "copied-to",
                "get",
                "secret",
                "shared",
                "-o",
                "jsonpath={.data.password}",
            ];
            let output = kit.node.try_kubectl(&args, "");
            (output.stdout == want).then_some(())
        });
    };
    source("first");
    copied("first");
    let holder = [
        "get",
        "lease",
        "keyferry-reflector",
        "-o",
        "jsonpath={.spec.holderIdentity}",
    ];
    let leader = kit.kubectl(&holder);
    let pods = kit.kubectl(&["get", "pods", "-o", "name"]);
    let pod = pods.lines().find(|pod| {
        let name = pod.trim_start_matches("pod/");
        leader.contains(name)
    });
    let pod = pod.unwrap_or_else(|| panic!("{leader} is none of {pods}"));
    kit.kubectl(&["delete", pod, "--grace-period=0", "--force"]);
    kit.await_that("another one leads", || {
        (kit.kubectl(&holder) != leader).then_some(())
    });
    source("second");
    copied("second");
}
