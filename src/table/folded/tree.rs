//! Processes as a tree: each below its parent, where that holds sockets too.

use rustc_hash::FxHashMap;

use crate::store::folding::FoldOwner;
use crate::table::folded::FoldedRow;

/// How deep a process is indented at most.
const DEPTH_MAX: u8 = 8;

/// `order`, of indices into `rows`, but children, in the same order among themselves, right below their parent. A process whose
/// parent holds no socket stands at the top.
pub(super) fn in_tree(rows: &mut [FoldedRow], order: &[u32]) -> Vec<u32> {
    let pids_of = |row: &FoldedRow| match row.key.owner {
        Some(FoldOwner::Process(id)) => Some((id.pid, row.process.as_ref()?.parent_pid)),
        _ => None,
    };
    let pids: Vec<Option<(u32, u32)>> = order.iter().map(|at| pids_of(&rows[*at as usize])).collect();
    let at_pid: FxHashMap<u32, usize> =
        pids.iter().enumerate().filter_map(|(at, pids)| Some(((*pids)?.0, at))).collect();
    let parent = |at: usize| pids[at].and_then(|(pid, parent)| at_pid.get(&parent).copied().filter(|_| pid != parent));
    let mut children: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for at in (0..order.len()).rev() {
        if let Some(parent) = parent(at) {
            children.entry(parent).or_default().push(at);
        }
    }
    let mut is_placed = vec![false; order.len()];
    let mut tree = Vec::with_capacity(order.len());
    // Parents in a circle, which only a stale look at them can show, come last.
    let tops = (0..order.len()).filter(|at| parent(*at).is_none()).chain(0..order.len());
    for top in tops {
        let mut open = vec![(top, 0)];
        while let Some((at, depth)) = open.pop() {
            if std::mem::replace(&mut is_placed[at], true) {
                continue;
            }
            rows[order[at] as usize].depth = depth;
            tree.push(order[at]);
            let below = children.get(&at).into_iter().flatten();
            open.extend(below.map(|child| (*child, (depth + 1).min(DEPTH_MAX))));
        }
    }
    tree
}
