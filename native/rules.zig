//! Routes: which fields their events have, and which rules could match there, in the logic of Kleene (no, maybe, yes).

const std = @import("std");
const Blob = @import("blob.zig").Blob;
const Error = @import("blob.zig").Error;
const Parts = @import("matcher.zig").Parts;
const codesOf = @import("matcher.zig").codesOf;
const needlesOf = @import("matcher.zig").needles;

const Allocator = std.mem.Allocator;
const unset = std.math.maxInt(u32);

/// Answers in order: AND is the least of its parts, OR the greatest.
pub const Answer = enum(u2) { no, maybe, yes };

pub const Column = struct {
    pub const How = enum(u32) { plain, md5, sha1, sha256, imphash, unknown, either, decoded, line };

    /// Whether it has as many slots as it reads.
    pub fn isWhole(self: Column) bool {
        return switch (self.how) {
            .plain, .unknown, .line => true,
            .either => self.slots.len == 2,
            .decoded => self.slots.len == 1,
            else => self.slots.len == 3,
        };
    }
    field: u32,
    how: How,
    /// Where the value may stand: the first that is there and not null counts.
    slots: []const u16,
    /// `unknown`: what the field might hold.
    codes: []const u32,
    /// Watched: a value without this is not worth asking about.
    needle: []const u8 = "",
    /// Watched: its values are looked for as addresses and nothing else.
    is_address: bool = false,
};

/// An atom that compares a column with another.
pub const Reference = struct {
    pub const How = enum(u32) { equal, contains, head, tail };
    column: u32,
    other: u32,
    how: How,
    atom: u32,
};

/// The answers for atoms in this round; those not set are no.
pub const Atoms = struct {
    rounds: []u32,
    answers: []Answer,
    round: u32 = 0,

    pub fn begin(self: *Atoms) void {
        self.round +%= 1;
        if (self.round == 0) {
            @memset(self.rounds, 0);
            self.round = 1;
        }
    }

    pub fn set(self: *Atoms, code: u32) void {
        const answer: Answer = if (code & 1 == 1) .maybe else .yes;
        self.rounds[code >> 1] = self.round;
        self.answers[code >> 1] = answer;
    }

    fn get(self: *const Atoms, atom: u32) Answer {
        return if (self.rounds[atom] == self.round) self.answers[atom] else .no;
    }
};

pub const Route = struct {
    columns: []const Column,
    references: []const Reference,
    /// Whether a line with one of the hits handed over is for the exact engine.
    minds_hits: bool,
    /// Characters which a keyword may hide behind `\\u00..`.
    keyword_characters: u128,
    /// Keywords that are looked for in lines of this route alone.
    keywords: Parts,
    /// Nothing can match: lines are only counted.
    is_idle: bool,
    /// What is watched for single values, and since which round.
    watched: []const Column = &.{},
    round: u32 = 0,
    rules: []const []const u32,
    always: []const u32,
    /// Rules by one of their required atoms: (atom, first, last) hashed by atom, into `filed`.
    table: []const [3]u32,
    filed: []const u32,

    pub fn init(gpa: Allocator, blob: *Blob, n_atoms: usize) Error!Route {
        const minds_hits = try blob.word() != 0;
        var keyword_characters: u128 = 0;
        for (0..4) |i| keyword_characters |= @as(u128, try blob.word()) << @intCast(32 * i);
        const keywords = try Parts.init(gpa, try needlesOf(gpa, blob, n_atoms));
        const columns = try gpa.alloc(Column, try blob.count());
        for (columns) |*column| column.* = try columnOf(gpa, blob, n_atoms);
        const references = try gpa.alloc(Reference, try blob.count());
        for (references) |*one| {
            one.column = try blob.word();
            one.other = try blob.word();
            one.how = std.enums.fromInt(Reference.How, try blob.word()) orelse return error.Malformed;
            one.atom = try blob.word();
            if (one.column >= columns.len or one.other >= columns.len or one.atom >= n_atoms) return error.Malformed;
        }
        const rules = try gpa.alloc([]const u32, try blob.count());
        for (rules) |*rule| {
            rule.* = try gpa.dupe(u32, try blob.list());
            var at: usize = 0;
            try check(rule.*, &at, n_atoms, 0);
            if (at != rule.len) return error.Malformed;
        }
        const always = try placesOf(gpa, blob, rules.len);
        const n_filed = try blob.count();
        const table = try gpa.alloc([3]u32, std.math.ceilPowerOfTwoAssert(usize, @max(4, n_filed * 2)));
        @memset(table, .{ unset, 0, 0 });
        var filed: std.ArrayList(u32) = .empty;
        for (0..n_filed) |_| {
            const atom = try blob.word();
            if (atom >= n_atoms) return error.Malformed;
            const first: u32 = @intCast(filed.items.len);
            try filed.appendSlice(gpa, try placesOf(gpa, blob, rules.len));
            var place = placeOf(atom, table.len);
            while (table[place][0] != unset) place = (place + 1) & (table.len - 1);
            table[place] = .{ atom, first, @intCast(filed.items.len) };
        }
        return .{
            .columns = columns,
            .references = references,
            .minds_hits = minds_hits,
            .keyword_characters = keyword_characters,
            .keywords = keywords,
            .is_idle = rules.len == 0,
            .rules = rules,
            .always = always,
            .table = table,
            .filed = try filed.toOwnedSlice(gpa),
        };
    }

    /// Rules that match, or may match, where these atoms hold, in order, into `found`; null where they are too many.
    /// `done` is a mark for each rule, by round.
    pub fn asking(self: *const Route, codes: []const []const u32, atoms: *Atoms, done: []u32, found: []u32) ?[]u32 {
        atoms.begin();
        if (atoms.round == 1) @memset(done, 0);
        for (codes) |own| for (own) |code| atoms.set(code);
        var n: usize = 0;
        for (self.always) |rule| {
            if (self.holds(rule, atoms, done)) {
                if (n == found.len) return null;
                found[n] = rule;
                n += 1;
            }
        }
        for (codes) |own| for (own) |code| {
            for (self.filedUnder(code >> 1)) |rule| {
                if (self.holds(rule, atoms, done)) {
                    if (n == found.len) return null;
                    found[n] = rule;
                    n += 1;
                }
            }
        };
        std.mem.sortUnstable(u32, found[0..n], {}, std.sort.asc(u32));
        return found[0..n];
    }

    fn filedUnder(self: *const Route, atom: u32) []const u32 {
        var place = placeOf(atom, self.table.len);
        while (self.table[place][0] != unset) : (place = (place + 1) & (self.table.len - 1)) {
            if (self.table[place][0] == atom) return self.filed[self.table[place][1]..self.table[place][2]];
        }
        return &.{};
    }

    fn holds(self: *const Route, rule: u32, atoms: *const Atoms, done: []u32) bool {
        if (done[rule] == atoms.round) return false;
        done[rule] = atoms.round;
        var at: usize = 0;
        return answerOf(self.rules[rule], &at, atoms) != .no;
    }

    fn placeOf(atom: u32, size: usize) usize {
        return @intCast(@as(u64, atom) *% 0x9E3779B97F4A7C15 >> 32 & (size - 1));
    }
};

fn placesOf(gpa: Allocator, blob: *Blob, n_rules: usize) Error![]const u32 {
    const places = try gpa.dupe(u32, try blob.list());
    for (places) |place| {
        if (place >= n_rules) return error.Malformed;
    }
    return places;
}

pub fn columnOf(gpa: Allocator, blob: *Blob, n_atoms: usize) Error!Column {
    const field = try blob.word();
    const how = std.enums.fromInt(Column.How, try blob.word()) orelse return error.Malformed;
    const wide = try blob.list();
    const slots = try gpa.alloc(u16, wide.len);
    for (slots, wide) |*slot, one| slot.* = std.math.cast(u16, one) orelse return error.Malformed;
    return .{ .field = field, .how = how, .slots = slots, .codes = try codesOf(gpa, blob, n_atoms) };
}

/// A column that is watched: behind it whether it holds addresses, and what a value must contain.
pub fn watchedOf(gpa: Allocator, blob: *Blob, n_atoms: usize) Error!Column {
    var column = try columnOf(gpa, blob, n_atoms);
    column.is_address = try blob.word() != 0;
    column.needle = try blob.text();
    return column;
}

// A condition in Polish notation: an atom's number times four; or 1 AND, 2 OR (with their number of parts times four),
// 3 NOT; `maybe` (a part that only the exact engine decides) is 7, `no` is 11.
const word_maybe = 7;
const word_no = 11;
const max_depth = 64;

fn check(words: []const u32, at: *usize, n_atoms: usize, depth: usize) Error!void {
    if (at.* >= words.len or depth > max_depth) return error.Malformed;
    const word = words[at.*];
    at.* += 1;
    switch (word & 3) {
        0 => if (word >> 2 >= n_atoms) return error.Malformed,
        1, 2 => for (0..word >> 2) |_| try check(words, at, n_atoms, depth + 1),
        else => if (word == 3) try check(words, at, n_atoms, depth + 1),
    }
}

fn answerOf(words: []const u32, at: *usize, atoms: *const Atoms) Answer {
    const word = words[at.*];
    at.* += 1;
    switch (word & 3) {
        0 => return atoms.get(word >> 2),
        1 => {
            var found: Answer = .yes;
            for (0..word >> 2) |_| {
                const part = answerOf(words, at, atoms);
                if (@backingInt(part) < @backingInt(found)) found = part;
            }
            return found;
        },
        2 => {
            var found: Answer = .no;
            for (0..word >> 2) |_| {
                const part = answerOf(words, at, atoms);
                if (@backingInt(part) > @backingInt(found)) found = part;
            }
            return found;
        },
        else => switch (word) {
            3 => return @fromBackingInt(@intCast(2 - @backingInt(answerOf(words, at, atoms)))),
            word_maybe => return .maybe,
            else => return .no,
        },
    }
}
