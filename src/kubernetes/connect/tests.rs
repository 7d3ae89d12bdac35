//! Where we look for the cluster, and the errors when we do not find it. No server is asked here.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::base::failure::{Class, Fault};

/// A folder for the files of a test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// Surroundings without any cluster.
    fn nowhere(&self) -> Surroundings {
        Surroundings {
            kubeconfig: Vec::new(),
            service: None,
            pod: self.0.path().join("pod"),
            pod_namespace: None,
            home: Some(self.0.path().join("home/.kube/config")),
        }
    }

    /// A pod with its three files.
    fn pod(&self) -> Surroundings {
        let ca =
            rcgen::generate_simple_self_signed(["kubernetes".to_owned()]).expect("a certificate");
        self.write("pod/token", "t");
        self.write("pod/ca.crt", &ca.cert.pem());
        self.write("pod/namespace", "platform\n");
        Surroundings {
            service: Some(("10.96.0.1".into(), "443".into())),
            ..self.nowhere()
        }
    }
}

fn kubeconfig(server: &str, namespace: &str, user: &str, more: &str) -> String {
    format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u, namespace: {namespace}}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{server}'{more}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
}

async fn namespace(surroundings: Surroundings) -> Result<String, Error> {
    let deadline = Instant::now() + Duration::from_secs(20);
    open(surroundings, deadline.into())
        .await
        .map(|cluster| cluster.namespace)
}

async fn refused(surroundings: Surroundings) -> (Class, String) {
    let error = namespace(surroundings)
        .await
        .expect_err("no cluster can be found");
    (error.class(), error.to_string())
}

#[tokio::test]
async fn kubeconfig_goes_before_the_pod_and_the_pod_before_the_home_folder() {
    let place = Place::new();
    let local = "https://127.0.0.1:1";
    let home = place.write(
        "home/.kube/config",
        &kubeconfig(local, "home", "token: t", ""),
    );
    let first = place.write("first", &kubeconfig(local, "first", "token: t", ""));
    let missing = place.0.path().join("missing");
    assert!(home.is_file());
    assert_eq!(namespace(place.nowhere()).await.expect("home"), "home");
    assert_eq!(namespace(place.pod()).await.expect("pod"), "platform");
    let list = vec![missing.clone(), first, home];
    let all = Surroundings {
        kubeconfig: list,
        ..place.pod()
    };
    assert_eq!(namespace(all).await.expect("list"), "first");
    let wrong = Surroundings {
        kubeconfig: vec![missing.clone()],
        ..place.pod()
    };
    let (class, text) = refused(wrong).await;
    assert_eq!(
        (class, text),
        (
            Class::Configuration,
            format!("kubeconfig {}: it does not exist", missing.display())
        )
    );
}

#[tokio::test]
async fn no_cluster_is_a_usage_error_that_says_what_is_missing() {
    let place = Place::new();
    let (class, text) = refused(place.nowhere()).await;
    assert_eq!(class, Class::Configuration);
    assert_eq!(
        text,
        "no Kubernetes cluster was found: KUBECONFIG is not set, there is no ~/.kube/config, and \
         this is no pod"
    );
    let service = Some(("10.96.0.1".into(), "443".into()));
    let tokenless = Surroundings {
        service,
        ..place.nowhere()
    };
    let (class, text) = refused(tokenless).await;
    assert_eq!(class, Class::Configuration);
    assert!(
        text.contains("this is a pod, but") && text.contains("pod/token is not there"),
        "{text}"
    );
}

#[tokio::test]
async fn a_pod_without_a_namespace_file_takes_it_from_the_environment() {
    let place = Place::new();
    let pod = place.pod();
    fs::remove_file(pod.pod.join("namespace")).expect("it was there");
    let (class, text) = refused(pod).await;
    assert_eq!(class, Class::Configuration, "{text}");
    let pod = place.pod();
    fs::remove_file(pod.pod.join("namespace")).expect("it was there");
    let named = Surroundings {
        pod_namespace: Some("team".into()),
        ..pod
    };
    assert_eq!(namespace(named).await.expect("named"), "team");
}

#[tokio::test]
async fn a_kubeconfig_that_weakens_the_connection_is_refused_and_its_token_is_never_shown() {
    const TOKEN: &str = "token: hunter22";
    let away = "https://192.0.2.1:6443";
    let rows = [
        (
            kubeconfig(away, "n", TOKEN, ", insecure-skip-tls-verify: true"),
            "it turns off certificate checks",
        ),
        (
            kubeconfig("http://192.0.2.1", "n", TOKEN, ""),
            "its server is not reached by https",
        ),
        (
            kubeconfig(away, "n", TOKEN, ", proxy-url: 'http://proxy:1'"),
            "`proxy-url`",
        ),
        (
            kubeconfig(away, "n", "token: [hunter22", ""),
            "it is not a kubeconfig (line ",
        ),
        (
            kubeconfig(away, "n", "token: {a: hunter22}", ""),
            "it is not a kubeconfig",
        ),
        ("users: []\n".to_owned(), "it names no current-context"),
        ("current-context: x\n".to_owned(), "it has no context \"x\""),
    ];
    let place = Place::new();
    for (text, want) in rows {
        let file = place.write("config", &text);
        let surroundings = Surroundings {
            kubeconfig: vec![file],
            ..place.nowhere()
        };
        let (class, said) = refused(surroundings).await;
        assert_eq!(class, Class::Configuration, "{said}");
        assert!(said.contains(want), "{said}\n{text}");
        assert!(!said.contains("hunter"), "{said}");
    }
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_followed_and_loopback_may_be_plain() {
    let place = Place::new();
    let file = place.write(
        "config",
        &kubeconfig("http://127.0.0.1:8001", "n", "token: t", ""),
    );
    let surroundings = Surroundings {
        kubeconfig: vec![file],
        ..place.nowhere()
    };
    assert_eq!(namespace(surroundings).await.expect("loopback"), "n");
}

#[tokio::test]
async fn a_credential_program_that_fails_or_hangs_is_bounded_and_not_quoted() {
    let place = Place::new();
    let program = |body: &str| {
        let path = place.write("login", &format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        let user = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{}', interactiveMode: \
             Never}}",
            path.display()
        );
        let file = place.write("config", &kubeconfig("https://127.0.0.1:1", "n", &user, ""));
        Surroundings {
            kubeconfig: vec![file],
            ..place.nowhere()
        }
    };
    let (class, text) = refused(program("echo hunter22; echo hunter22 >&2; exit 3")).await;
    assert_eq!(class, Class::Denied);
    assert!(
        text.ends_with("the credential program of the kubeconfig ended with exit status: 3"),
        "{text}"
    );
    assert!(!text.contains("hunter"), "{text}");
    let (_, text) = refused(program("echo hunter22")).await;
    assert!(
        text.contains("cannot be read") && !text.contains("hunter"),
        "{text}"
    );
    let deadline = Instant::now() + Duration::from_millis(200);
    let hanging = open(program("sleep 5"), deadline.into())
        .await
        .map(drop)
        .expect_err("it hangs");
    assert!(
        hanging.to_string().contains("did not end in time"),
        "{hanging}"
    );
    assert_eq!(Failure::from(hanging).class, Class::Unavailable);
    assert!(Instant::now() < deadline + Duration::from_secs(2));
}
