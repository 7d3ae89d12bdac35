//! Orders that a person gives by an annotation of the Lease, and the commands for them: the same
//! words in Events, plans and docs.

use super::marks::{GIVE, RELEASE};
use super::place::{CopiedKind, ObjectPlace};
use crate::base::artifact::ObjectName;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// This many held copies of this source may be deleted.
    Release((CopiedKind, ObjectPlace), usize),
    /// This many held copies may be deleted, whatever their source.
    ReleaseAll(usize),
    /// This source gets the places that others had first.
    Give((CopiedKind, ObjectPlace)),
}

impl Order {
    /// Annotations that are orders.
    pub const KEYS: [&str; 2] = [RELEASE, GIVE];

    /// Reads an annotation; nothing if it is not an order.
    pub fn parse(key: &str, value: &str) -> Option<Self> {
        let value = value.trim();
        if key == GIVE {
            return source(value).map(Self::Give);
        }
        let (what, count) = value.rsplit_once(':')?;
        let count = count.parse().ok()?;
        match (key, what) {
            (RELEASE, "all") => Some(Self::ReleaseAll(count)),
            (RELEASE, what) => source(what).map(|source| Self::Release(source, count)),
            _ => None,
        }
    }

    fn to_annotation(&self) -> String {
        match self {
            Self::Release((kind, place), count) => format!("{RELEASE}={kind}/{place}:{count}"),
            Self::ReleaseAll(count) => format!("{RELEASE}=all:{count}"),
            Self::Give((kind, place)) => format!("{GIVE}={kind}/{place}"),
        }
    }

    /// The effect of the order, and the command.
    pub fn hint(&self, lease: &ObjectName) -> String {
        let what = match self {
            Self::Release(..) => "to release them",
            Self::ReleaseAll(_) => "to release all that is held",
            Self::Give(_) => "to give it the places that it asks for",
        };
        format!("{what}: {}", self.command(lease))
    }

    fn command(&self, lease: &ObjectName) -> String {
        let ObjectName { namespace, name } = lease;
        format!(
            "kubectl annotate lease -n {namespace} {name} {}",
            self.to_annotation()
        )
    }
}

/// `secret/NAMESPACE/NAME`.
fn source(text: &str) -> Option<(CopiedKind, ObjectPlace)> {
    let (kind, place) = text.split_once('/')?;
    let kind = CopiedKind::parse(kind)?;
    let (namespace, name) = place.split_once('/')?;
    let good = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
    good.then(|| (kind, ObjectPlace::new(namespace, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_is_written() {
        let source = (CopiedKind::ConfigMap, ObjectPlace::new("a", "x.y"));
        let lease = ObjectName {
            namespace: "keyferry".to_owned(),
            name: "r".to_owned(),
        };
        for (order, note) in [
            (
                Order::Release(source.clone(), 5),
                "keyferry.io/release-deletes=configmap/a/x.y:5",
            ),
            (Order::ReleaseAll(12), "keyferry.io/release-deletes=all:12"),
            (
                Order::Give(source),
                "keyferry.io/give-places=configmap/a/x.y",
            ),
        ] {
            let command = order.command(&lease);
            assert_eq!(
                command,
                format!("kubectl annotate lease -n keyferry r {note}")
            );
            let (key, value) = note.split_once('=').expect("a pair");
            assert_eq!(Order::parse(key, value), Some(order));
        }
    }

    #[test]
    fn what_is_no_order_is_none() {
        for value in [
            "",
            "5",
            "all",
            "all:",
            "all:-1",
            "secret/a/x",
            "secret/a:5",
            "secret//x:5",
            "pod/a/x:5",
            "secret/a/x/y:5",
            "a/x:5",
        ] {
            assert_eq!(Order::parse(RELEASE, value), None, "{value:?}");
        }
        for value in ["", "a/x", "secret/a", "secret/a/x/y"] {
            assert_eq!(Order::parse(GIVE, value), None, "{value:?}");
        }
        assert_eq!(Order::parse("keyferry.io/other", "all:5"), None);
    }
}
