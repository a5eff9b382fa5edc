//! Regular expressions as automata, many in a word of 64 bits: wider than the expressions themselves, never narrower.
//!
//! Made in `amagasa.detect.engine.automaton`; a text in which none arrives matches none of the expressions.

const std = @import("std");
const Blob = @import("blob.zig").Blob;
const Error = @import("blob.zig").Error;

const Allocator = std.mem.Allocator;

const head_mark = 128;
const tail_mark = 129;

pub const End = struct { last: u64, least: u32, code: u32 };

/// Sets of positions that were met are states with a number; where a character leads from each is kept when it is
/// first asked. A text that leads through more sets than there is room for is run over position by position.
pub const Automaton = struct {
    const max_states = 512;
    const none = 0xFFFF;
    takes: [tail_mark + 1]u64,
    follow: [64]u64,
    first: u64,
    ends: []const End,
    /// Characters which the same positions take are of one kind.
    kind_of: [128]u8,
    n_kinds: usize,
    states: []u64,
    n_states: usize = 0,
    /// By state and kind: the state behind it.
    steps: []u16,

    pub fn init(gpa: Allocator, blob: *Blob, n_atoms: usize) Error!Automaton {
        var self = Automaton{
            .takes = undefined,
            .follow = @splat(0),
            .first = 0,
            .ends = &.{},
            .kind_of = undefined,
            .n_kinds = 0,
            .states = try gpa.alloc(u64, max_states),
            .steps = &.{},
        };
        for (&self.takes) |*positions| positions.* = try blob.long();
        const n_positions = try blob.count();
        if (n_positions > 64) return error.Malformed;
        for (self.follow[0..n_positions]) |*positions| positions.* = try blob.long();
        self.first = try blob.long();
        const ends = try gpa.alloc(End, try blob.count());
        for (ends) |*end| {
            end.* = .{ .last = try blob.long(), .least = try blob.word(), .code = try blob.word() };
            if (end.code >> 1 >= n_atoms) return error.Malformed;
        }
        self.ends = ends;
        for (&self.kind_of, 0..) |*kind, byte| {
            kind.* = for (0..byte) |other| {
                if (self.takes[other] == self.takes[byte]) break self.kind_of[other];
            } else new: {
                self.n_kinds += 1;
                break :new @intCast(self.n_kinds - 1);
            };
        }
        self.steps = try gpa.alloc(u16, max_states * self.n_kinds);
        _ = self.stateOf(self.first & self.takes[head_mark]);
        return self;
    }

    /// The positions that were reached somewhere in `text`, which is of ASCII and folded.
    pub fn reached(self: *Automaton, text: []const u8) u64 {
        var state: u16 = 0;
        var all = self.states[0];
        for (text, 0..) |byte, at| {
            const step = &self.steps[state * self.n_kinds + self.kind_of[byte]];
            if (step.* == none) {
                const behind = self.next(self.states[state]) & self.takes[byte];
                const found = self.stateOf(behind) orelse return all | self.run(behind, text[at + 1 ..]);
                self.steps[state * self.n_kinds + self.kind_of[byte]] = found;
                state = found;
            } else state = step.*;
            all |= self.states[state];
        }
        return all | (self.next(self.states[state]) & self.takes[tail_mark]);
    }

    /// From these positions on, without states.
    fn run(self: *const Automaton, from: u64, text: []const u8) u64 {
        var here = from;
        var all = here;
        for (text) |byte| {
            here = self.next(here) & self.takes[byte];
            all |= here;
        }
        return all | (self.next(here) & self.takes[tail_mark]);
    }

    fn stateOf(self: *Automaton, positions: u64) ?u16 {
        for (self.states[0..self.n_states], 0..) |known, number| {
            if (known == positions) return @intCast(number);
        }
        if (self.n_states == max_states) return null;
        self.states[self.n_states] = positions;
        @memset(self.steps[self.n_states * self.n_kinds ..][0..self.n_kinds], none);
        self.n_states += 1;
        return @intCast(self.n_states - 1);
    }

    fn next(self: *const Automaton, here: u64) u64 {
        var positions = self.first;
        var left = here;
        while (left != 0) : (left &= left - 1) positions |= self.follow[@ctz(left)];
        return positions;
    }
};
