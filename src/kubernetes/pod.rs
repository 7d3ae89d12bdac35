//! Our pod, and the Job that made it, if they exist: messages about keyferry itself are written at
//! them.

/// Our pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace, where it is known without the cluster.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// Its uid: with it `kubectl describe pod` shows the Event.
    pub(crate) uid: Option<String>,
}

impl Pod {
    /// Our pod, by the downward API, else by the name of the machine, which is the pod's name
    /// without `hostNetwork`.
    pub fn of_this_process() -> Option<Self> {
        Self::from_environment(&variable, host_name)
    }

    fn from_environment(
        env: &dyn Fn(&str) -> Option<String>,
        host: impl FnOnce() -> Option<String>,
    ) -> Option<Self> {
        let text = |name| env(name).filter(|value| !value.is_empty());
        let name = match text("POD_NAME") {
            Some(name) => name,
            None => text("KUBERNETES_SERVICE_HOST").and_then(|_| host())?,
        };
        Some(Self {
            namespace: text("POD_NAMESPACE"),
            name: name.trim().to_owned(),
            uid: text("POD_UID"),
        })
    }
}

/// The machine's name; in a pod without `hostNetwork` it is the pod's.
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

impl std::fmt::Display for Pod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The Job that made our pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnJob {
    /// Its namespace, where it is known without the cluster.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// Its uid: with it `kubectl describe job` shows the Event.
    pub(crate) uid: Option<String>,
}

impl OwnJob {
    /// Our Job, by the downward API: it reads labels that the Job's controller puts on its pods.
    pub fn of_this_process() -> Option<Self> {
        Self::from_environment(&variable)
    }

    fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let text = |name| env(name).filter(|value| !value.is_empty());
        Some(Self {
            namespace: text("POD_NAMESPACE"),
            name: text("KEYFERRY_JOB_NAME")?,
            uid: text("KEYFERRY_JOB_UID"),
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a pod knows of itself is in its environment, by convention"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_known_by_the_downward_api_else_by_its_host() {
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<[&'a str; 3]>);
        let rows: [Row<'_>; 6] = [
            (&[], None),
            (&[("POD_NAMESPACE", "team")], None),
            (
                &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
                Some(["", "host-0", ""]),
            ),
            (
                &[
                    ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
                    ("POD_NAME", "app-1"),
                ],
                Some(["", "app-1", ""]),
            ),
            (
                &[
                    ("POD_NAME", "app-1"),
                    ("POD_NAMESPACE", "team"),
                    ("POD_UID", "u-1"),
                ],
                Some(["team", "app-1", "u-1"]),
            ),
            (&[("POD_NAME", ""), ("POD_UID", "u-1")], None),
        ];
        for (env, want) in rows {
            let find = |name: &str| {
                let found = env.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let pod = Pod::from_environment(&find, || Some("host-0\n".to_owned()));
            let is = pod.map(|pod| {
                let or_empty = Option::unwrap_or_default;
                [or_empty(pod.namespace), pod.name, or_empty(pod.uid)]
            });
            assert_eq!(is, want.map(|texts| texts.map(str::to_owned)), "{env:?}");
        }
    }
}
