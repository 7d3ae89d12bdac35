//! Copies that the configuration declares: `reflect` beside a Secret, and the key of their marks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Hidden, Shown};
use super::problem::Problem;
use super::target::RawSecret;
use super::{Delivery, SecretRef, Target};
use crate::copy_rules::glob::Glob;
use crate::copy_rules::selector::Selector;

/// Copies of a Secret in other namespaces.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawReflect {
    /// Names of namespaces; `*` is any text, `?` any character. A plain name must
    /// exist. Default: all, where there is a `selector`.
    #[serde(default)]
    pub namespaces: Vec<At<Shown>>,
    /// Only namespaces with such labels, as `kubectl -l` takes them.
    pub selector: Option<At<Shown>>,
    /// Name of the copies (default: that of the Secret).
    pub rename: Option<At<Shown>>,
    /// Only these keys are copied.
    #[serde(default)]
    pub pick: Vec<At<Shown>>,
    /// Labels of the copies. Those of the Secret are not copied.
    #[serde(default)]
    pub labels: BTreeMap<String, At<Hidden>>,
    /// `false`: the copies are all there is, and nothing is written at the Secret's own place.
    #[serde(default = "super::located::yes")]
    pub home: bool,
    /// Delete copies that this delivery made and declares no more.
    #[serde(default)]
    pub prune: bool,
}

/// Copies of one Secret in other namespaces.
#[derive(Debug, Clone)]
pub struct Reflect {
    /// Namespaces, by name.
    pub namespaces: Vec<Glob>,
    /// Namespaces, by label; `None`: whatever their labels.
    pub selector: Option<Selector>,
    /// Name of the copies; `None`: that of the Secret.
    pub rename: Option<String>,
    /// The only keys that are copied; all where it is empty.
    pub pick: Vec<String>,
    /// Labels of the copies.
    pub labels: BTreeMap<String, String>,
    /// Whether the Secret itself is written too.
    pub home: bool,
    /// Whether copies that are no longer declared are deleted.
    pub prune: bool,
}

impl Reflect {
    /// The namespaces; `None` where only the cluster can tell them.
    pub fn named(&self) -> Option<Vec<&str>> {
        let plain = |glob: &Glob| !glob.as_str().contains(['*', '?']);
        let named = self.selector.is_none() && self.namespaces.iter().all(plain);
        named.then(|| self.namespaces.iter().map(Glob::as_str).collect())
    }
}

impl Checker<'_> {
    /// Copies beside a Secret.
    pub(super) fn reflect(
        &mut self,
        written: At<RawReflect>,
        secret: Option<&At<RawSecret>>,
    ) -> Option<Reflect> {
        let at = self.location(&written);
        let RawReflect {
            namespaces,
            selector,
            rename,
            pick,
            labels,
            home,
            prune,
        } = written.value;
        let Some(secret) = secret else {
            self.problem(
                &at,
                "`reflect` is of use only beside `secret`",
                "add `secret: {name: …}`",
            );
            return None;
        };
        if namespaces.is_empty() && selector.is_none() {
            self.problem(
                &at,
                "`reflect` says no namespace",
                "add `namespaces: [\"team-*\"]` or `selector: …`",
            );
        }
        if !home && (secret.value.namespace.is_some()) {
            self.problem(
                &at,
                "with `home: false` the Secret's own `namespace` means nothing",
                "remove one of the two",
            );
        }
        let labels = self.metadata(&at, "label", labels);
        let mut globs = self.globs(&namespaces);
        if namespaces.is_empty() {
            globs.extend(Glob::parse("*"));
        }
        Some(Reflect {
            namespaces: globs,
            selector: selector.and_then(|selector| self.selector(&selector)),
            rename: rename.map(|name| self.object_name(&name, "the copies' name")),
            pick: self.names(&pick, "this key"),
            labels,
            home,
            prune,
        })
    }

    fn selector(&mut self, written: &At<Shown>) -> Option<Selector> {
        let text = self.text(written);
        match Selector::parse(&text) {
            Ok(selector) => Some(selector),
            Err(error) => {
                self.problem(written, error.to_string(), "write it as for `kubectl -l`");
                None
            }
        }
    }

    pub(super) fn globs(&mut self, written: &[At<Shown>]) -> Vec<Glob> {
        self.each_glob(written, Glob::parse, "no name of a namespace")
    }

    pub(super) fn each_glob(
        &mut self,
        written: &[At<Shown>],
        parse: fn(&str) -> Option<Glob>,
        what: &str,
    ) -> Vec<Glob> {
        let hint = "`*` stands for any text, `?` for any character";
        let globs = written.iter();
        globs
            .filter_map(|written| self.read(written, parse, what, hint))
            .collect()
    }
}

/// The Secret that holds the keys of the marks. It is made when it is not there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawMarkKey {
    /// Our own namespace where it is left out.
    pub namespace: Option<At<Shown>>,
    /// Its name; `keyferry-marks` where it is left out.
    pub name: Option<At<Shown>>,
}

/// The name of the Secret with the keys of the marks.
const MARK_KEY: &str = "keyferry-marks";

/// Default Secret with the keys of the marks.
pub(super) fn usual_mark_key() -> SecretRef {
    SecretRef {
        namespace: None,
        name: MARK_KEY.to_owned(),
    }
}

impl Checker<'_> {
    /// The Secret with the keys of the marks.
    pub(super) fn mark_key(&mut self, written: At<RawMarkKey>) -> SecretRef {
        let RawMarkKey { namespace, name } = written.value;
        self.object_or(MARK_KEY, namespace, name, "the name of the Secret")
    }
}

/// Problems of deliveries that delete copies but cannot tell them from forged ones.
pub(super) fn unsigned<'a>(
    deliveries: &'a [Delivery],
    mark_key: Option<&SecretRef>,
) -> impl Iterator<Item = Problem> + 'a {
    let prunes = |target: &Target| match target {
        Target::Secret(secret) => secret.reflect.as_ref().is_some_and(|reflect| reflect.prune),
        Target::File(_) | Target::Files(_) => false,
    };
    let signs = mark_key.is_some();
    let unsigned = deliveries
        .iter()
        .filter(move |delivery| !signs && delivery.to.iter().any(prunes));
    unsigned.map(|delivery| {
        Problem::new(
            delivery.at.clone(),
            format!(
                "delivery `{}`: `prune` beside `reflect` needs `markKey`: without a key, anybody \
                 could make what looks like a copy",
                delivery.name
            ),
            format!(
                "add `markKey: {{}}`: the Secret `{MARK_KEY}` in our own namespace then holds the \
                 key, and is made when it is not there"
            ),
        )
    })
}
