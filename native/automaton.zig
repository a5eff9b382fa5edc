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

pub const Automaton = struct {
    takes: [tail_mark + 1]u64,
    follow: [64]u64,
    first: u64,
    ends: []const End,

    pub fn init(gpa: Allocator, blob: *Blob, n_atoms: usize) Error!Automaton {
        var self: Automaton = undefined;
        for (&self.takes) |*positions| positions.* = try blob.long();
        const n_positions = try blob.count();
        if (n_positions > 64) return error.Malformed;
        self.follow = @splat(0);
        for (self.follow[0..n_positions]) |*positions| positions.* = try blob.long();
        self.first = try blob.long();
        const ends = try gpa.alloc(End, try blob.count());
        for (ends) |*end| {
            end.* = .{ .last = try blob.long(), .least = try blob.word(), .code = try blob.word() };
            if (end.code >> 1 >= n_atoms) return error.Malformed;
        }
        self.ends = ends;
        return self;
    }

    /// The positions that were reached somewhere in `text`, which is of ASCII and folded.
    pub fn reached(self: *const Automaton, text: []const u8) u64 {
        var here: u64 = self.first & self.takes[head_mark];
        var all = here;
        for (text) |byte| {
            here = self.next(here) & self.takes[byte];
            all |= here;
        }
        return all | (self.next(here) & self.takes[tail_mark]);
    }

    fn next(self: *const Automaton, here: u64) u64 {
        var positions = self.first;
        var left = here;
        while (left != 0) : (left &= left - 1) positions |= self.follow[@ctz(left)];
        return positions;
    }
};
