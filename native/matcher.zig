//! Which atoms of one field hold for a value: equal texts, heads, tails and parts, numbers and networks.
//!
//! An atom is answered *held*, *not held*, or *maybe* where only the exact engine can tell (regular expressions, letter
//! case); the answers held and not held are exact. A code is an atom's number twice over, odd for maybe.

const std = @import("std");
const Blob = @import("blob.zig").Blob;
const Error = @import("blob.zig").Error;
const automata = @import("automaton.zig");
const Automaton = automata.Automaton;

const Allocator = std.mem.Allocator;
const prime: u64 = 0x9E3779B97F4A7C15;

/// `glob`: what the whole value must be like as well; empty where the text alone decides.
const Needle = struct { text: []const u8, code: u32, glob: []const u8 = "" };

/// In globs, bytes that no text holds.
const any_text = 0xFF;
const any_character = 0xFE;
/// A longer value is left to the exact engine: here it could take a time that grows with its square.
const max_glob_bytes = 16384;

const Comparison = struct {
    const Op = enum(u32) { lt, lte, gt, gte, neq };
    op: Op,
    code: u32,
    limit: f64,

    fn holds(self: Comparison, value: f64) bool {
        return switch (self.op) {
            .lt => value < self.limit,
            .lte => value <= self.limit,
            .gt => value > self.limit,
            .gte => value >= self.limit,
            .neq => value != self.limit,
        };
    }
};

const Network = struct { address: u32, mask: u32, code: u32 };

/// Most atoms of one field; a field with more is not for a sieve.
pub const max_atoms = 1 << 18;

/// Codes found, each once and in order: a bit for each, a bit for each word that has some, a bit for each word of these.
pub const Held = struct {
    const n_words = 2 * max_atoms / 64;
    words: [n_words]u64 = @splat(0),
    summary: [n_words / 64]u64 = @splat(0),
    top: [n_words / 64 / 64]u64 = @splat(0),
    /// Globs that were tried and did not hold, by code; cleared with the words of the same place.
    tried: [n_words]u64 = @splat(0),
    codes: []u32,

    fn add(self: *Held, code: u32) void {
        const word = code / 64;
        self.words[word] |= @as(u64, 1) << @intCast(code % 64);
        self.mark(word);
    }

    fn mark(self: *Held, word: usize) void {
        self.summary[word / 64] |= @as(u64, 1) << @intCast(word % 64);
        self.top[word / 64 / 64] |= @as(u64, 1) << @intCast(word / 64 % 64);
    }

    fn addAll(self: *Held, codes: []const u32) void {
        for (codes) |code| self.add(code);
    }

    /// A needle that stands in `text`. A glob is tried once, whether it holds or not.
    fn addNeedle(self: *Held, needle: *const Needle, text: []const u8) void {
        if (needle.glob.len == 0) return self.add(needle.code);
        if (text.len > max_glob_bytes) return self.add(needle.code | 1);
        const word = needle.code / 64;
        const bit = @as(u64, 1) << @intCast(needle.code % 64);
        if (self.tried[word] & bit != 0) return;
        self.tried[word] |= bit;
        self.mark(word);
        if (isLike(needle.glob, text)) self.add(needle.code);
    }

    /// Before another text of the same value: globs are to be tried again.
    pub fn again(self: *Held) void {
        for (self.top, 0..) |places, above| {
            var some = places;
            while (some != 0) : (some &= some - 1) {
                const place = above * 64 + @ctz(some);
                var left = self.summary[place];
                while (left != 0) : (left &= left - 1) self.tried[place * 64 + @ctz(left)] = 0;
            }
        }
    }

    /// Whether anything was found; forgets it.
    pub fn any(self: *Held) bool {
        return self.take(null).?.len != 0;
    }

    /// The codes, those of the field's own numbers turned into those of the sieve; null where they are too many.
    pub fn found(self: *Held, atoms: []const u32) ?[]u32 {
        return self.take(atoms);
    }

    fn take(self: *Held, atoms: ?[]const u32) ?[]u32 {
        var n: usize = 0;
        var is_full = false;
        for (&self.top, 0..) |*places, above| {
            while (places.* != 0) : (places.* &= places.* - 1) {
                const place = above * 64 + @ctz(places.*);
                const words = &self.summary[place];
                while (words.* != 0) : (words.* &= words.* - 1) {
                    const number = place * 64 + @ctz(words.*);
                    self.tried[number] = 0;
                    const word = &self.words[number];
                    while (word.* != 0) : (word.* &= word.* - 1) {
                        const code: u32 = @intCast(number * 64 + @ctz(word.*));
                        if (n == self.codes.len) is_full = true else {
                            self.codes[n] = if (atoms) |own| own[code >> 1] << 1 | (code & 1) else code;
                            n += 1;
                        }
                    }
                }
            }
        }
        return if (is_full) null else self.codes[0..n];
    }
};

pub const Matcher = struct {
    /// The sieve's numbers of the field's atoms, in order; codes in here are of places in it.
    atoms: []const u32,
    null_codes: []const u32,
    exists_codes: []const u32,
    missing_codes: []const u32,
    /// Hold (or may hold) for whatever is there.
    any_codes: []const u32,
    empty_codes: []const u32,
    equal: Ends,
    heads: Ends,
    tails: Ends,
    parts: Parts,
    /// Globs without a text to look for.
    loose: []const Needle,
    automata: []Automaton,
    comparisons: []const Comparison,
    networks: []const Network,
    wide_networks: []const u32,

    /// The words' lists: the atoms; null, exists, missing, any, empty; needles equal, heads, tails, parts with globs, globs alone; comparisons; networks.
    pub fn init(gpa: Allocator, blob: *Blob, n_of_sieve: usize) Error!Matcher {
        const atoms = try gpa.dupe(u32, try blob.list());
        if (atoms.len > max_atoms) return error.Full;
        for (atoms) |atom| if (atom >= n_of_sieve) return error.Malformed;
        const n_atoms = atoms.len;
        const null_codes = try codesOf(gpa, blob, n_atoms);
        const exists_codes = try codesOf(gpa, blob, n_atoms);
        const missing_codes = try codesOf(gpa, blob, n_atoms);
        const any_codes = try codesOf(gpa, blob, n_atoms);
        const empty_codes = try codesOf(gpa, blob, n_atoms);
        return .{
            .atoms = atoms,
            .null_codes = null_codes,
            .exists_codes = exists_codes,
            .missing_codes = missing_codes,
            .any_codes = any_codes,
            .empty_codes = empty_codes,
            .equal = try Ends.init(gpa, try needles(gpa, blob, n_atoms), .head),
            .heads = try Ends.init(gpa, try needles(gpa, blob, n_atoms), .head),
            .tails = try Ends.init(gpa, try needles(gpa, blob, n_atoms), .tail),
            .parts = try Parts.init(gpa, try needlesWithGlobs(gpa, blob, n_atoms)),
            .loose = try needlesWithGlobs(gpa, blob, n_atoms),
            .automata = try automataOf(gpa, blob, n_atoms),
            .comparisons = try comparisonsOf(gpa, blob, n_atoms),
            .networks = try networksOf(gpa, blob, n_atoms),
            .wide_networks = try codesOf(gpa, blob, n_atoms),
        };
    }

    pub fn ofMissing(self: *const Matcher, held: *Held) void {
        held.addAll(self.null_codes);
        held.addAll(self.missing_codes);
    }

    pub fn ofNull(self: *const Matcher, held: *Held) void {
        held.addAll(self.null_codes);
        held.addAll(self.exists_codes);
    }

    /// `text` is folded, and stands in a buffer with four bytes more behind it.
    pub fn ofText(self: *const Matcher, text: []const u8, held: *Held) void {
        held.addAll(self.exists_codes);
        held.addAll(self.any_codes);
        if (text.len == 0) held.addAll(self.empty_codes);
        self.equal.findWhole(text, held);
        self.heads.findAll(text, held);
        self.tails.findAll(text, held);
        self.parts.findAll(text, held);
        for (self.loose) |*one| held.addNeedle(one, text);
        if (self.automata.len != 0) self.run(text, held);
        if (self.comparisons.len != 0) self.compare(text, held);
        if (self.networks.len + self.wide_networks.len != 0) self.locate(text, held);
    }

    fn run(self: *const Matcher, text: []const u8, held: *Held) void {
        const is_ascii = for (text) |byte| {
            if (byte >= 0x80) break false;
        } else true;
        for (self.automata) |*automaton| {
            const reached = if (is_ascii) automaton.reached(text) else undefined;
            for (automaton.ends) |*end| {
                if (!is_ascii or (text.len >= end.least and automata.meet(reached, end.last))) held.add(end.code);
            }
        }
    }

    fn compare(self: *const Matcher, text: []const u8, held: *Held) void {
        var has_digit = false;
        for (text) |byte| has_digit = has_digit or std.ascii.isDigit(byte);
        if (!has_digit) return;
        const value = integerOf(text) orelse {
            for (self.comparisons) |one| held.add(one.code | 1);
            return;
        };
        for (self.comparisons) |one| {
            if (one.holds(value)) held.add(one.code);
        }
    }

    fn locate(self: *const Matcher, text: []const u8, held: *Held) void {
        if (text.len > 64) return;
        if (addressOf(text)) |address| {
            for (self.networks) |one| {
                if (address & one.mask == one.address) held.add(one.code);
            }
            return;
        }
        // Whatever else may be an address, in the spelling of somebody, is for the exact engine.
        for (text) |byte| switch (byte) {
            ':', '%', ' ', '\t', '\n', '\r', 11, 12, 0x80...0xFF => {
                for (self.networks) |one| held.add(one.code | 1);
                for (self.wide_networks) |code| held.add(code | 1);
                return;
            },
            else => {},
        };
    }
};

/// One code; its atom must be one of the sieve's.
fn codeOf(blob: *Blob, n_atoms: usize) Error!u32 {
    const code = try blob.word();
    return if (code >> 1 >= n_atoms) error.Malformed else code;
}

pub fn codesOf(gpa: Allocator, blob: *Blob, n_atoms: usize) Error![]const u32 {
    const codes = try gpa.dupe(u32, try blob.list());
    for (codes) |code| if (code >> 1 >= n_atoms) return error.Malformed;
    return codes;
}

pub fn needles(gpa: Allocator, blob: *Blob, n_atoms: usize) Error![]Needle {
    const made = try gpa.alloc(Needle, try blob.count());
    for (made) |*one| {
        one.* = .{ .text = try blob.text(), .code = try codeOf(blob, n_atoms) };
        if (one.text.len == 0) return error.Malformed;
    }
    return made;
}

/// Texts with their codes and globs; a text may be empty.
fn needlesWithGlobs(gpa: Allocator, blob: *Blob, n_atoms: usize) Error![]Needle {
    const made = try gpa.alloc(Needle, try blob.count());
    for (made) |*one| {
        one.* = .{ .text = try blob.text(), .code = try codeOf(blob, n_atoms), .glob = try blob.text() };
    }
    return made;
}

/// Whether the whole of `text` is like `glob`. Goes back to the last `any_text` only, which is enough.
fn isLike(glob: []const u8, text: []const u8) bool {
    var at: usize = 0;
    var next: usize = 0;
    var star: ?usize = null;
    var from: usize = 0;
    while (at < text.len) {
        if (next < glob.len and glob[next] == any_text) {
            star = next;
            from = at;
            next += 1;
        } else if (next < glob.len and glob[next] == any_character) {
            at += 1;
            while (at < text.len and text[at] & 0xC0 == 0x80) at += 1;
            next += 1;
        } else if (next < glob.len and glob[next] == text[at]) {
            at += 1;
            next += 1;
        } else if (star) |place| {
            from += 1;
            while (from < text.len and text[from] & 0xC0 == 0x80) from += 1;
            at = from;
            next = place + 1;
        } else return false;
    }
    while (next < glob.len and glob[next] == any_text) next += 1;
    return next == glob.len;
}

fn automataOf(gpa: Allocator, blob: *Blob, n_atoms: usize) Error![]Automaton {
    const made = try gpa.alloc(Automaton, try blob.count());
    for (made) |*one| one.* = try Automaton.init(gpa, blob, n_atoms);
    return made;
}

fn comparisonsOf(gpa: Allocator, blob: *Blob, n_atoms: usize) Error![]Comparison {
    const made = try gpa.alloc(Comparison, try blob.count());
    for (made) |*one| {
        const op = std.enums.fromInt(Comparison.Op, try blob.word()) orelse return error.Malformed;
        const code = try codeOf(blob, n_atoms);
        one.* = .{ .op = op, .code = code, .limit = @bitCast(try blob.long()) };
    }
    return made;
}

fn networksOf(gpa: Allocator, blob: *Blob, n_atoms: usize) Error![]Network {
    const made = try gpa.alloc(Network, try blob.count());
    for (made) |*one| {
        one.* = .{ .address = try blob.word(), .mask = try blob.word(), .code = try codeOf(blob, n_atoms) };
    }
    return made;
}

/// An integer that a double holds exactly; null for any other text.
fn integerOf(text: []const u8) ?f64 {
    if (text.len == 0 or text.len > 15) return null;
    var value: u64 = 0;
    for (text) |byte| {
        if (!std.ascii.isDigit(byte)) return null;
        value = value * 10 + (byte - '0');
    }
    return @floatFromInt(value);
}

/// An IPv4 address in four decimal numbers without leading zeros.
fn addressOf(text: []const u8) ?u32 {
    var address: u32 = 0;
    var parts = std.mem.splitScalar(u8, text, '.');
    for (0..4) |_| {
        const part = parts.next() orelse return null;
        if (part.len == 0 or part.len > 3 or (part.len > 1 and part[0] == '0')) return null;
        var number: u32 = 0;
        for (part) |byte| {
            if (!std.ascii.isDigit(byte)) return null;
            number = number * 10 + (byte - '0');
        }
        if (number > 255) return null;
        address = address << 8 | number;
    }
    return if (parts.next() == null) address else null;
}

fn sizeFor(count: usize) usize {
    return std.math.ceilPowerOfTwoAssert(usize, @max(16, count * 2));
}

/// Texts that a value begins or ends with, found by a hash that grows with each character.
const Ends = struct {
    const Side = enum { head, tail };
    side: Side,
    needles: []const Needle,
    /// Places in `needles`, by hash; `len` where there is none.
    table: []const u32,
    /// Whether any needle has this length; the longest is the last.
    lengths: []const bool,

    fn init(gpa: Allocator, own: []Needle, side: Side) Error!Ends {
        var longest: usize = 0;
        for (own) |one| longest = @max(longest, one.text.len);
        const lengths = try gpa.alloc(bool, if (own.len == 0) 0 else longest + 1);
        @memset(lengths, false);
        const table = try gpa.alloc(u32, if (own.len == 0) 0 else sizeFor(own.len));
        @memset(table, std.math.maxInt(u32));
        for (own, 0..) |one, number| {
            lengths[one.text.len] = true;
            var hash: u64 = 0;
            for (0..one.text.len) |i| hash = grown(hash, character(side, one.text, i));
            var place = placeOf(hash, table.len);
            while (table[place] != std.math.maxInt(u32)) place = (place + 1) & (table.len - 1);
            table[place] = @intCast(number);
        }
        return .{ .side = side, .needles = own, .table = table, .lengths = lengths };
    }

    fn character(side: Side, text: []const u8, i: usize) u8 {
        return if (side == .head) text[i] else text[text.len - 1 - i];
    }

    fn grown(hash: u64, byte: u8) u64 {
        return (hash ^ byte ^ 0x100) *% prime;
    }

    fn placeOf(hash: u64, size: usize) usize {
        return @intCast((hash ^ hash >> 29) *% prime >> 32 & (size - 1));
    }

    fn findAll(self: *const Ends, text: []const u8, held: *Held) void {
        var hash: u64 = 0;
        const longest = @min(text.len + 1, self.lengths.len);
        for (1..@max(longest, 1)) |length| {
            hash = grown(hash, character(self.side, text, length - 1));
            if (self.lengths[length]) self.look(hash, text, length, held);
        }
    }

    fn findWhole(self: *const Ends, text: []const u8, held: *Held) void {
        if (text.len >= self.lengths.len or !self.lengths[text.len]) return;
        var hash: u64 = 0;
        for (text) |byte| hash = grown(hash, byte);
        self.look(hash, text, text.len, held);
    }

    fn look(self: *const Ends, hash: u64, text: []const u8, length: usize, held: *Held) void {
        const part = if (self.side == .head) text[0..length] else text[text.len - length ..];
        var place = placeOf(hash, self.table.len);
        while (self.table[place] != std.math.maxInt(u32)) : (place = (place + 1) & (self.table.len - 1)) {
            const needle = &self.needles[self.table[place]];
            if (std.mem.eql(u8, needle.text, part)) held.add(needle.code);
        }
    }
};

/// Texts that stand anywhere in a value. Each is looked for by its rarest four (or by all of its three, two, one)
/// characters, its gram: a bit for the first two says whether to look on, a table which texts have the gram.
pub const Parts = struct {
    const Anchored = struct { needle: u32, offset: u32 };
    const Bucket = struct { gram: u32, width: u32, from: u32, to: u32 };
    const Keyed = struct {
        gram: u32,
        width: u32,
        one: Anchored,

        fn before(_: void, a: Keyed, b: Keyed) bool {
            return if (a.width == b.width) a.gram < b.gram else a.width < b.width;
        }
    };
    needles: []const Needle,
    anchored: []const Anchored,
    buckets: []const Bucket,
    /// Places in `buckets` by hash of gram and width.
    table: []const u32,
    /// Whether some gram begins with these two characters, the first the lower byte.
    pairs: []const u64,
    /// Whether some gram has this hash; a power of two of words.
    bits: []const u64,
    has_width: [5]bool,

    pub fn init(gpa: Allocator, own: []Needle) Error!Parts {
        var self = Parts{
            .needles = own,
            .anchored = &.{},
            .buckets = &.{},
            .table = &.{},
            .pairs = &.{},
            .bits = &.{},
            .has_width = @splat(false),
        };
        if (own.len == 0) return self;
        const keyed = try keyedByGram(gpa, own);
        defer gpa.free(keyed);
        const anchored = try gpa.alloc(Anchored, own.len);
        var buckets: std.ArrayList(Bucket) = .empty;
        for (keyed, anchored, 0..) |one, *to, i| {
            to.* = one.one;
            const place: u32 = @intCast(i);
            if (i == 0 or keyed[i - 1].gram != one.gram or keyed[i - 1].width != one.width) {
                try buckets.append(gpa, .{ .gram = one.gram, .width = one.width, .from = place, .to = place });
            }
            buckets.items[buckets.items.len - 1].to = place + 1;
        }
        const table = try gpa.alloc(u32, sizeFor(buckets.items.len));
        @memset(table, std.math.maxInt(u32));
        const pairs = try gpa.alloc(u64, 1024);
        @memset(pairs, 0);
        const bits = try gpa.alloc(u64, std.math.ceilPowerOfTwoAssert(usize, @max(16, buckets.items.len / 4)));
        @memset(bits, 0);
        self.bits = bits;
        self.anchored = anchored;
        self.buckets = try buckets.toOwnedSlice(gpa);
        self.table = table;
        for (self.buckets, 0..) |one, number| {
            self.has_width[one.width] = true;
            const hash = mixed(one.gram, one.width);
            const bit = hash >> 24 & (bits.len * 64 - 1);
            bits[bit / 64] |= @as(u64, 1) << @intCast(bit % 64);
            var place = hash & (table.len - 1);
            while (table[place] != std.math.maxInt(u32)) place = (place + 1) & (table.len - 1);
            table[place] = @intCast(number);
            const pair: u16 = @truncate(one.gram);
            if (one.width == 1) {
                for (0..256) |second| setPair(pairs, pair | @as(u16, @intCast(second)) << 8);
            } else setPair(pairs, pair);
        }
        self.pairs = pairs;
        return self;
    }

    fn setPair(pairs: []u64, pair: u16) void {
        pairs[pair / 64] |= @as(u64, 1) << @intCast(pair % 64);
    }

    fn keyedByGram(gpa: Allocator, own: []const Needle) Error![]Keyed {
        const counts = try gpa.alloc(u32, 1 << 16);
        defer gpa.free(counts);
        @memset(counts, 0);
        for (own) |one| {
            if (one.text.len == 0) return error.Malformed;
            for (0..one.text.len - 1) |i| counts[gramAt(one.text, i, 2)] += 1;
        }
        const keyed = try gpa.alloc(Keyed, own.len);
        for (own, keyed, 0..) |one, *made, number| {
            const width: u32 = @intCast(@min(one.text.len, 4));
            var best: u32 = 0;
            var least: u32 = std.math.maxInt(u32);
            if (width == 4) for (0..one.text.len - 3) |i| {
                const found = counts[gramAt(one.text, i, 2)] + 64 * commonness(one.text[i..][0..4]);
                if (found < least) {
                    least = found;
                    best = @intCast(i);
                }
            };
            made.* = .{
                .gram = gramAt(one.text, best, width),
                .width = width,
                .one = .{ .needle = @intCast(number), .offset = best },
            };
        }
        std.mem.sort(Keyed, keyed, {}, Keyed.before);
        return keyed;
    }

    /// How ordinary the characters are in what programs write, the first two above all: letters of words are.
    fn commonness(gram: *const [4]u8) u32 {
        var sum: u32 = 0;
        for (gram, 0..) |byte, i| {
            const one: u32 = switch (byte) {
                'a', 'c', 'd', 'e', 'i', 'l', 'm', 'n', 'o', 'r', 's', 't', '\\', '.', ' ' => 3,
                'b', 'f', 'g', 'h', 'p', 'u', 'w', 'y', '0'...'9', '-', '/' => 2,
                else => 0,
            };
            sum += if (i < 2) 2 * one else one;
        }
        return sum;
    }

    fn gramAt(text: []const u8, at: usize, width: u32) u32 {
        var gram: u32 = 0;
        for (text[at..][0..width], 0..) |byte, i| gram |= @as(u32, byte) << @intCast(8 * i);
        return gram;
    }

    fn mixed(gram: u32, width: u32) usize {
        return (@as(u64, gram) | @as(u64, width) << 40) *% prime >> 12 & std.math.maxInt(u52);
    }

    /// `text` stands in a buffer with four bytes more behind it, so that a gram can be read at each of its characters.
    pub fn findAll(self: *const Parts, text: []const u8, held: *Held) void {
        if (self.needles.len == 0) return;
        const pairs = self.pairs[0..1024];
        const padded = text.ptr[0 .. text.len + 4];
        for (0..text.len) |at| {
            const four = std.mem.readInt(u32, padded[at..][0..4], .little);
            const pair: u16 = @truncate(four);
            if (pairs[pair / 64] >> @intCast(pair % 64) & 1 == 0) continue;
            inline for (.{ 4, 3, 2, 1 }) |width| {
                if (self.has_width[width]) {
                    const gram = four & (@as(u32, std.math.maxInt(u32)) >> @intCast(32 - 8 * width));
                    const hash = mixed(gram, width);
                    const bit = hash >> 24 & (self.bits.len * 64 - 1);
                    if (self.bits[bit / 64] >> @intCast(bit % 64) & 1 != 0) self.look(gram, width, hash, text, at, held);
                }
            }
        }
    }

    fn look(self: *const Parts, gram: u32, width: u32, hash: usize, text: []const u8, at: usize, held: *Held) void {
        var place = hash & (self.table.len - 1);
        while (self.table[place] != std.math.maxInt(u32)) : (place = (place + 1) & (self.table.len - 1)) {
            const bucket = &self.buckets[self.table[place]];
            if (bucket.gram != gram or bucket.width != width) continue;
            for (self.anchored[bucket.from..bucket.to]) |one| {
                const needle = &self.needles[one.needle];
                if (one.offset > at) continue;
                const from = at - one.offset;
                if (needle.text.len > text.len - from) continue;
                if (std.mem.eql(u8, needle.text, text[from..][0..needle.text.len])) held.addNeedle(needle, text);
            }
            return;
        }
    }
};
