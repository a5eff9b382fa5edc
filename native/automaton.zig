//! Regular expressions as automata, many side by side: wider than the expressions themselves, never narrower.
//!
//! Made in `amagasa.detect.engine.automaton`; a text in which none arrives matches none of the expressions.

const std = @import("std");
const Blob = @import("blob.zig").Blob;
const Error = @import("blob.zig").Error;

const Allocator = std.mem.Allocator;

const n_words = 8;
const n_positions = n_words * 64;
const head_mark = 128;
const tail_mark = 129;

pub const Positions = @Vector(n_words, u64);
const nowhere: Positions = @splat(0);

pub const End = struct { last: Positions, least: u32, code: u32 };

fn positionsOf(blob: *Blob) Error!Positions {
    var found: [n_words]u64 = undefined;
    for (&found) |*word| word.* = try blob.long();
    return found;
}

pub fn meet(a: Positions, b: Positions) bool {
    return @reduce(.Or, a & b) != 0;
}

/// Sets of positions that were met are states with a number; where a character leads from each is kept when it is
/// first asked. When there is no room for another state, all are forgotten.
pub const Automaton = struct {
    const max_states = 1024;
    const none = 0xFFFF;
    const table_size = 4 * max_states;
    takes: [tail_mark + 1]Positions,
    follow: []const Positions,
    first: Positions,
    ends: []const End,
    /// Characters which the same positions take are of one kind.
    kind_of: [128]u8,
    n_kinds: usize,
    states: []Positions,
    n_states: usize = 0,
    /// Numbers of states by the hash of their positions.
    table: []u16,
    /// By state and kind: the state behind it.
    steps: []u16,

    pub fn init(gpa: Allocator, blob: *Blob, n_atoms: usize) Error!Automaton {
        var self = Automaton{
            .takes = undefined,
            .follow = &.{},
            .first = nowhere,
            .ends = &.{},
            .kind_of = undefined,
            .n_kinds = 0,
            .states = try gpa.alloc(Positions, max_states),
            .table = try gpa.alloc(u16, table_size),
            .steps = &.{},
        };
        for (&self.takes) |*positions| positions.* = try positionsOf(blob);
        const count = try blob.count();
        if (count > n_positions) return error.Malformed;
        const follow = try gpa.alloc(Positions, count);
        for (follow) |*positions| positions.* = try positionsOf(blob);
        self.follow = follow;
        self.first = try positionsOf(blob);
        const ends = try gpa.alloc(End, try blob.count());
        for (ends) |*end| {
            end.* = .{ .last = try positionsOf(blob), .least = try blob.word(), .code = try blob.word() };
            if (end.code >> 1 >= n_atoms) return error.Malformed;
        }
        self.ends = ends;
        for (&self.kind_of, 0..) |*kind, byte| {
            kind.* = for (0..byte) |other| {
                if (@reduce(.And, self.takes[other] == self.takes[byte])) break self.kind_of[other];
            } else new: {
                self.n_kinds += 1;
                break :new @intCast(self.n_kinds - 1);
            };
        }
        self.steps = try gpa.alloc(u16, max_states * self.n_kinds);
        self.forget();
        return self;
    }

    /// The positions that were reached somewhere in `text`, which is of ASCII and folded.
    pub fn reached(self: *Automaton, text: []const u8) Positions {
        var state = self.stateOf(self.first & self.takes[head_mark]);
        var all = self.states[state];
        for (text) |byte| {
            const kind = self.kind_of[byte & 0x7F];
            const known = self.steps[state * self.n_kinds + kind];
            if (known == none) {
                const n_before = self.n_states;
                const behind = self.stateOf(self.next(self.states[state]) & self.takes[byte & 0x7F]);
                // Where all were forgotten meanwhile, the numbers of before mean nothing.
                if (self.n_states >= n_before) self.steps[state * self.n_kinds + kind] = behind;
                state = behind;
            } else state = known;
            all |= self.states[state];
        }
        return all | (self.next(self.states[state]) & self.takes[tail_mark]);
    }

    fn forget(self: *Automaton) void {
        self.n_states = 0;
        @memset(self.table, none);
    }

    fn stateOf(self: *Automaton, positions: Positions) u16 {
        const words: [n_words]u64 = positions;
        var hash: u64 = 0;
        for (words) |word| hash = (hash ^ word) *% 0x9E3779B97F4A7C15 ^ hash >> 29;
        var place: usize = @intCast(hash >> 32 & (table_size - 1));
        while (self.table[place] != none) : (place = (place + 1) & (table_size - 1)) {
            if (@reduce(.And, self.states[self.table[place]] == positions)) return self.table[place];
        }
        if (self.n_states == max_states) {
            self.forget();
            place = @intCast(hash >> 32 & (table_size - 1));
        }
        const number: u16 = @intCast(self.n_states);
        self.states[number] = positions;
        self.table[place] = number;
        @memset(self.steps[@as(usize, number) * self.n_kinds ..][0..self.n_kinds], none);
        self.n_states += 1;
        return number;
    }

    fn next(self: *const Automaton, here: Positions) Positions {
        var positions = self.first;
        const words: [n_words]u64 = here;
        for (words, 0..) |word, place| {
            var left = word;
            while (left != 0) : (left &= left - 1) positions |= self.follow[place * 64 + @ctz(left)];
        }
        return positions;
    }
};
