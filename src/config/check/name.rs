//! The name of the configuration: one name for all its files, required where the configuration
//! writes to a cluster.

use std::path::Path;

use super::super::located::{At, Shown};
use super::super::problem::Problem;
use super::super::{Delivery, Location, ManifestSet, Target};
use super::Checker;
use crate::base::artifact::ConfigurationName;

impl Checker<'_> {
    /// `None` after a problem.
    pub(super) fn configuration_name(&mut self, written: &At<Shown>) -> Option<ConfigurationName> {
        let before = self.problems.len();
        let text = self.name(written, "the configuration's name");
        let name = ConfigurationName::parse(&text);
        if name.is_none() && self.problems.len() == before {
            let at = self.location(written);
            let what = format!("`{text}` cannot be the name of a configuration");
            let hint = match ConfigurationName::near(&text) {
                Some(near) => format!("write `name: {near}`"),
                None => "use lower case letters, digits, `-` and `.`, at most 63".to_owned(),
            };
            self.problem(&at, what, hint);
        }
        name
    }
}

/// The first part that needs a name, and a word of that part that may serve as the name.
pub(super) fn needed<'a>(
    deliveries: &'a [Delivery],
    manifests: &'a [ManifestSet],
    reflector: Option<&'a Location>,
) -> Option<(&'a Location, Option<&'a str>)> {
    let mut secrets = deliveries.iter().flat_map(|delivery| {
        let targets = delivery.to.iter().filter_map(|target| match target {
            Target::Secret(secret) => Some(&secret.location),
            Target::File(_) | Target::Files(_) => None,
        });
        targets.map(|at| (at, Some(delivery.name.as_str())))
    });
    let mut sets = manifests.iter().map(|set| (&set.at, set.name.as_deref()));
    let reflector = reflector.map(|at| (at, None));
    secrets.next().or_else(|| sets.next()).or(reflector)
}

/// The name that all files agree on. A file without a name takes that of the others.
pub(super) fn merge(
    names: Vec<(Location, Option<ConfigurationName>)>,
    needed: Option<(&Location, Option<&str>)>,
    problems: &mut Vec<Problem>,
) -> Option<ConfigurationName> {
    let mut names = names.into_iter();
    let Some((at, first)) = names.next() else {
        problems.extend(needed.map(|(at, word)| missing(at, word)));
        return None;
    };
    for (other_at, other) in names {
        let both = first.as_ref().zip(other.as_ref());
        if let Some((first, other)) = both.filter(|(first, other)| first != other) {
            problems.push(Problem::new(
                other_at,
                format!("the configuration is called `{other}` here and `{first}` at {at}"),
                "files that are used together have one name; use different names in runs of \
                 their own",
            ));
        }
    }
    first
}

fn missing(at: &Location, word: Option<&str>) -> Problem {
    let name = proposed(&at.file, word);
    Problem::new(
        at.clone(),
        "a configuration that writes Secrets or copies needs a `name:`, by which it knows them \
         again",
        format!(
            "add `name: {name}` at the top of the file; no other configuration of the cluster may \
             have the same"
        ),
    )
}

/// Names of files and folders that say nothing about their content.
const COMMON: [&str; 7] = [
    "keyferry",
    "config",
    "configuration",
    "etc",
    "deploy",
    "overlays",
    "secrets",
];

/// Proposes a name: from the file, from its folders, or from the part that needs a name.
fn proposed(file: &str, word: Option<&str>) -> String {
    let path = Path::new(file);
    let stem = path.file_stem().into_iter();
    let folders = path.ancestors().skip(1).filter_map(Path::file_name);
    let words = stem.chain(folders.take(2));
    let mut words = words
        .filter_map(|word| word.to_str())
        .filter(|word| !COMMON.contains(word))
        .chain(word);
    let name = words.find_map(ConfigurationName::near);
    name.map_or_else(|| "platform".to_owned(), |name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_proposed_from_what_there_is() {
        for (file, word, want) in [
            ("teams/archpad/keyferry.yaml", Some("db"), "archpad"),
            ("/etc/keyferry/archpad.yaml", Some("db"), "archpad"),
            (
                "/etc/keyferry/keyferry.yaml",
                Some("Web App_1"),
                "web-app-1",
            ),
            ("keyferry.yaml", Some("db"), "db"),
            ("a/Team One/config.yml", None, "team-one"),
            ("keyferry.yaml", None, "platform"),
        ] {
            assert_eq!(proposed(file, word), want, "{file} {word:?}");
        }
    }
}
