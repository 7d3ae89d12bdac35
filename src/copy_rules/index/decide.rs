//! The decision for one place: each rule fits on one screen.

use std::sync::Arc;

use super::super::annotations::Dialect;
use super::super::metadata::DataOwners;
use super::super::place::{CopiedKind, ObjectPlace};
use super::super::reason::{CopyReason, CopyRefusal, Farewell};
use super::super::scope::Target;
use super::super::signature::Verdict;
use super::objects::{CopyObject, Source};
use super::{Content, Digest, How, Index, QueueItem, Write};
use crate::copy_rules::index::queue::Urgency;

/// The decision for one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// There is nothing to do.
    Nothing,
    /// This source must be read first.
    Wait(ObjectPlace),
    /// The copy at the place must be read and compared with this source.
    Compare(ObjectPlace),
    /// A copy must be written.
    Write(Write),
    /// The copy at the place must be deleted.
    Delete(Farewell),
    /// Somebody asks for something that is refused.
    Refuse(CopyRefusal),
}

/// Who wants a copy at a place.
#[derive(Default)]
pub(super) struct CopyClaims<'a> {
    /// The source whose copy belongs here.
    pub(super) first: Option<CopyClaim<'a>>,
    /// The source that owns the place, whether it gives to the place or not.
    owner: Option<ObjectPlace>,
    /// Other sources that give to the place.
    pub(super) rivals: Vec<ObjectPlace>,
}

impl CopyClaims<'_> {
    /// The source that asks for the place.
    pub(super) fn asker(&self) -> Option<&ObjectPlace> {
        let first = self.first.as_ref().map(|claim| &claim.source);
        first.or(self.rivals.first())
    }
}

/// A source that gives to a place.
pub(super) struct CopyClaim<'a> {
    pub(super) source: ObjectPlace,
    facts: &'a Source,
    dialect: Dialect,
}

impl Index {
    pub(super) fn decide(&self, kind: CopiedKind, place: &ObjectPlace) -> Decision {
        let Some((namespace, target)) = self.target(&place.namespace) else {
            return Decision::Nothing;
        };
        let standing = self.objects(kind).standing(place);
        if kind == CopiedKind::Secret && place == self.keys.place() {
            return Decision::Nothing;
        }
        let is_ending = namespace.ending || standing.is_some_and(|standing| standing.ending);
        if is_ending || !self.rules.targets.covers(&place.namespace) {
            return Decision::Nothing;
        }
        if let Some(mirror) = standing.filter(|standing| standing.mirror) {
            return self.fill(kind, place, mirror, target, namespace.declines);
        }
        let claims = match namespace.declines {
            true => CopyClaims::default(),
            false => self.claims(kind, place),
        };
        let is_asked = claims.asker().is_some();
        match (claims.first, standing) {
            (None, Some(copy)) => self.farewell(kind, place, copy, namespace.declines),
            _ if is_asked && kind.is_of_control_plane(&place.name) => {
                Decision::Refuse(CopyRefusal::ControlPlane)
            }
            (_, None) if is_asked && self.objects(kind).sources.contains_key(place) => {
                Decision::Refuse(CopyRefusal::Occupied)
            }
            (None, None) => match claims.owner.filter(|_| is_asked) {
                Some(owner) => Decision::Refuse(CopyRefusal::Reserved(owner)),
                None => Decision::Nothing,
            },
            (Some(claim), standing) => self.decide_copy(kind, place, &claim, standing),
        }
    }

    /// The source that owns the place: a person gave it the place, or its copy was there first; or
    /// it is a source that stood at this place and may come back. A place without an owner goes to
    /// the oldest source that asks.
    pub(super) fn owner(&self, kind: CopiedKind, place: &ObjectPlace) -> Option<ObjectPlace> {
        if let Some(namespace) = self.reserved.owner(kind, place) {
            let (namespace, name) = (Arc::clone(namespace), Arc::clone(&place.name));
            return Some(ObjectPlace { namespace, name });
        }
        let objects = self.objects(kind);
        let copy = objects.standing(place).filter(|copy| copy.is_ours());
        copy.and_then(|copy| copy.from.clone()).or_else(|| {
            let was_source = objects.copies_of(place) > 0 || self.reserved.has_any(kind, place);
            was_source.then(|| place.clone())
        })
    }

    /// The sources that give to a place, its owner first. Another source gets the place only if
    /// nobody owns it.
    pub(super) fn claims(&self, kind: CopiedKind, place: &ObjectPlace) -> CopyClaims<'_> {
        let Some((_, target)) = self.target(&place.namespace) else {
            return CopyClaims::default();
        };
        let of_name = self.objects(kind).of_name(&place.name);
        let givers = of_name
            .filter(|(source, facts)| source.namespace != place.namespace && !facts.offer.frozen);
        let mut givers: Vec<CopyClaim<'_>> = givers
            .filter_map(|(source, facts)| {
                let dialect = facts.offer.pushes_to(target)?;
                Some(CopyClaim {
                    source,
                    facts,
                    dialect,
                })
            })
            .collect();
        givers.sort_by(|one, other| {
            (&one.facts.created, &one.source).cmp(&(&other.facts.created, &other.source))
        });
        let owner = self.owner(kind, place);
        let standing = self.objects(kind).standing(place);
        let copied = standing.and_then(|copy| copy.from.as_ref());
        let find = |source: Option<&ObjectPlace>| {
            let source = source?;
            givers.iter().position(|claim| claim.source == *source)
        };
        let is_nobodys = owner.is_none() && !givers.is_empty();
        let at = find(owner.as_ref()).or_else(|| find(copied)).or_else(|| {
            let unnamed = standing.filter(|copy| copy.from.is_none())?;
            givers
                .iter()
                .position(|claim| unnamed.is_made_from(claim.facts))
        });
        let first = at.or(is_nobodys.then_some(0)).map(|at| givers.remove(at));
        CopyClaims {
            first,
            owner,
            rivals: givers.into_iter().map(|claim| claim.source).collect(),
        }
    }

    fn decide_copy(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        claim: &CopyClaim<'_>,
        standing: Option<&CopyObject>,
    ) -> Decision {
        let content = match read(&claim.source, claim.facts) {
            Ok(content) => content,
            Err(decision) => return *decision,
        };
        let write = |how, reason| {
            Decision::Write(Write {
                kind,
                place: place.clone(),
                source: claim.source.clone(),
                source_uid: claim.facts.uid,
                source_version: claim.facts.version,
                dialect: claim.dialect,
                how,
                reason,
            })
        };
        let Some(copy) = standing else {
            let was_deleted = self.objects(kind).lost.contains(place);
            return write(
                How::Create,
                if was_deleted {
                    CopyReason::Deleted
                } else {
                    CopyReason::New
                },
            );
        };
        if copy.declines {
            return Decision::Refuse(CopyRefusal::Declined);
        }
        let is_here = copy.from.as_ref() == Some(&claim.source);
        if !copy.marked {
            // mittwald's replicator does not record the source of its copies, so one of another
            // source, or of none that still gives, could become a copy of this one: the version of
            // the source that it records, or else the content, must be the same.
            let is_unnamed = copy.from.is_none() && copy.dialect == claim.dialect;
            let is_same = copy.is_made_from(claim.facts) || copy.digest == Some(content.digest);
            let is_theirs = is_here || (is_unnamed && is_same);
            return match (self.rules.adopt, is_theirs) {
                (true, true) => write(How::Adopt(copy.uid, copy.version), CopyReason::Adopted),
                (true, false) if is_unnamed && copy.digest.is_none() => {
                    Decision::Compare(claim.source.clone())
                }
                (_, _) => Decision::Refuse(CopyRefusal::Foreign),
            };
        }
        match copy.verdict {
            Verdict::Signed => {}
            Verdict::Unknown => return unverified(kind, place),
            // A copy by an earlier release: the source that it names signs it, if that source still
            // gives.
            Verdict::Unsigned if is_here => {
                return write(How::Adopt(copy.uid, copy.version), CopyReason::Unsigned);
            }
            Verdict::Unsigned => return Decision::Refuse(CopyRefusal::Unsigned),
        }
        let update = |reason| write(How::Update(copy.uid, copy.version), reason);
        if !is_here {
            // A person gave the place to this source.
            return update(CopyReason::OtherSource);
        }
        if copy.source_uid != claim.facts.uid {
            return update(CopyReason::OtherSource);
        }
        if copy.dialect != claim.dialect {
            return update(CopyReason::Marks);
        }
        match self.known_content(copy, content) {
            Some(digest) if digest == content.digest => Decision::Nothing,
            Some(_) if copy.holds == content.version => update(CopyReason::Edited),
            Some(_) => update(CopyReason::Source),
            None => Decision::Compare(claim.source.clone()),
        }
    }

    /// The content of a copy, as far as it is known without a read: what we wrote or compared.
    /// After a restart it is what the copy's marks say, while nobody else has written to its data.
    fn known_content(&self, copy: &CopyObject, content: &Content) -> Option<Digest> {
        let trusted = copy.holds == content.version
            && content.version.is_known()
            && (copy.guard == content.guard || !self.rules.repair);
        copy.digest.or(trusted.then_some(content.digest))
    }

    /// An object that asks to be filled. It belongs to its owner: it is never deleted, and stays
    /// unchanged when it may not be filled.
    fn fill(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        mirror: &CopyObject,
        target: Target<'_>,
        declines: bool,
    ) -> Decision {
        let refuse = Decision::Refuse;
        let Some(source) = &mirror.from else {
            return Decision::Nothing;
        };
        if [place, source]
            .iter()
            .any(|place| kind.is_of_control_plane(&place.name))
        {
            return refuse(CopyRefusal::ControlPlane);
        }
        if !self.rules.pull {
            return refuse(CopyRefusal::PullOff);
        }
        if declines || mirror.declines {
            return refuse(CopyRefusal::Declined);
        }
        if source == place || !self.rules.sources.covers(&source.namespace) {
            return refuse(CopyRefusal::Denied);
        }
        let Some(facts) = self.objects(kind).sources.get(source) else {
            return refuse(CopyRefusal::NoSource(source.clone()));
        };
        if facts.offer.frozen {
            return refuse(CopyRefusal::Unclear);
        }
        if !facts.offer.lets_pull(mirror.dialect, target) {
            return refuse(CopyRefusal::Denied);
        }
        let content = match read(source, facts) {
            Ok(content) => content,
            Err(decision) => return *decision,
        };
        let fill = |reason| {
            Decision::Write(Write {
                kind,
                place: place.clone(),
                source: source.clone(),
                source_uid: facts.uid,
                source_version: facts.version,
                dialect: mirror.dialect,
                how: How::Fill(mirror.uid, mirror.version),
                reason,
            })
        };
        match self.known_content(mirror, content) {
            Some(digest) if digest == content.digest => Decision::Nothing,
            Some(_) if !mirror.holds.is_known() => fill(CopyReason::New),
            Some(_) if mirror.holds == content.version => fill(CopyReason::Edited),
            Some(_) => fill(CopyReason::Source),
            None => Decision::Compare(source.clone()),
        }
    }

    /// A copy that no source gives any more. It is deleted only if everything is certain: our
    /// signature, the source's uid, and why the source no longer gives it.
    fn farewell(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        copy: &CopyObject,
        declined: bool,
    ) -> Decision {
        let Some(from) = &copy.from else {
            return Decision::Nothing;
        };
        let is_seen =
            self.rules.namespaces.is_none() || self.namespaces.contains_key(&from.namespace);
        if !copy.marked || !is_seen || !self.rules.sources.covers(&from.namespace) {
            return Decision::Nothing;
        }
        match copy.verdict {
            Verdict::Signed if copy.source_uid.is_known() => {}
            Verdict::Signed => return Decision::Nothing,
            Verdict::Unknown => return unverified(kind, place),
            Verdict::Unsigned => return Decision::Refuse(CopyRefusal::Unsigned),
        }
        if copy.declines {
            return Decision::Refuse(CopyRefusal::Declined);
        }
        match self.objects(kind).sources.get(from) {
            Some(source) if source.offer.frozen => Decision::Refuse(CopyRefusal::Unclear),
            _ if declined => Decision::Delete(Farewell::Declined),
            Some(source) if source.uid == copy.source_uid => Decision::Delete(Farewell::NotGiven),
            Some(_) | None => Decision::Delete(Farewell::SourceGone),
        }
    }

    /// The place waits until the source is read.
    pub(super) fn wait_for(&mut self, kind: CopiedKind, source: &ObjectPlace, place: ObjectPlace) {
        if let Some(facts) = self.objects_mut(kind).sources.get_mut(source) {
            facts.waiting.push(place);
        }
        self.queue
            .push(QueueItem::read(kind, source.clone()), Urgency::Read);
    }
}

fn unverified(kind: CopiedKind, place: &ObjectPlace) -> Decision {
    Decision::Refuse(CopyRefusal::Unverified(kind, place.clone()))
}

/// The content of a source, if it was read since its last change and may be copied.
fn read<'a>(place: &ObjectPlace, facts: &'a Source) -> Result<&'a Content, Box<Decision>> {
    match &facts.content {
        Some(content) if content.version != facts.version => {
            Err(Box::new(Decision::Wait(place.clone())))
        }
        None => Err(Box::new(Decision::Wait(place.clone()))),
        Some(Content {
            forbidden: Some(kind),
            ..
        }) => Err(Box::new(Decision::Refuse(CopyRefusal::Type(kind.clone())))),
        Some(content) => Ok(content),
    }
}

impl Content {
    /// Whether a copy with these field owners was written by us alone.
    pub fn is_guarded_by(&self, guard: DataOwners) -> bool {
        self.guard == guard
    }
}
