//! The rows that the user has tagged. A tag is the identity of a row: it goes with it to another
//! line, and goes when the row is gone.

use rustc_hash::FxHashSet;

use crate::model::socket::SocketId;
use crate::store::Store;
use crate::store::folding::FoldKey;
use crate::store::groups::GroupKey;

/// So many rows can be tagged, of all tabs together.
pub const TAGS_MAX: usize = 1_000;

/// The identity of a tagged row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// One connection or listener.
    Socket(SocketId),
    /// A line of the folded table: the sockets that it stands for when something is done.
    Fold(FoldKey),
    /// A row of the tabs Processes, Remotes, Listeners and Ports.
    Group(GroupKey),
}

/// The tagged rows of all tabs; [`TAGS_MAX`] at the most.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    set: FxHashSet<Tag>,
}

/// There are as many tags as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyTags;

impl Tags {
    /// Whether the row of `tag` is tagged.
    pub fn contains(&self, tag: Tag) -> bool {
        self.set.contains(&tag)
    }

    /// Every tag, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Tag> {
        self.set.iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Tags a row, or takes its tag away.
    pub(in crate::app) fn toggle(&mut self, tag: Tag) -> Result<(), TooManyTags> {
        if !self.set.remove(&tag) {
            self.add(tag)?;
        }
        Ok(())
    }

    pub(in crate::app) fn add(&mut self, tag: Tag) -> Result<(), TooManyTags> {
        if self.set.len() >= TAGS_MAX && !self.set.contains(&tag) {
            return Err(TooManyTags);
        }
        self.set.insert(tag);
        Ok(())
    }

    /// Takes the tags of sockets and processes away that are gone from `store`.
    pub(in crate::app) fn drop_gone(&mut self, store: &Store) {
        self.set.retain(|tag| match tag {
            Tag::Socket(id) => store.rows().live(*id).is_some(),
            Tag::Group(GroupKey::Process(id)) => store.rows().process(*id).is_some(),
            // Their tables say it, once they are made anew.
            Tag::Group(_) | Tag::Fold(_) => true,
        });
    }

    /// Takes the tags `gone` away.
    pub(in crate::app) fn drop_these(&mut self, gone: &[Tag]) {
        self.set.retain(|tag| !gone.contains(tag));
    }
}
