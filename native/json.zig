//! One JSON object a line, read just far enough: the values of the wanted keys as they stand, everything else skipped
//! but checked. Whatever the exact decoders might read otherwise, or refuse, is `error.Odd`.

const std = @import("std");

/// Deeper nesting is left to the exact engine.
const max_depth = 32;

pub const Kind = enum(u8) { missing, null, text, integer, true, false, odd };

/// A value as it stands in the record: for `text` what is between the quotes.
pub const Token = struct {
    kind: Kind = .missing,
    has_escape: bool = false,
    bytes: []const u8 = "",

    pub fn isPresent(self: Token) bool {
        return self.kind != .missing and self.kind != .null;
    }
};

pub const none: u16 = 0xFFFF;

/// What a key of an object leads to: a slot that takes its value, an object to enter, or nothing that may be there.
pub const Step = struct {
    parent: u16,
    child: u16,
    slot: u16,
    /// A value other than null makes the record one for the exact engine.
    is_barred: bool,
    key: []const u8,
    /// The step whose key was seen behind this one last: records of a kind list their keys in one order.
    next: u16 = none,
};

pub const Node = struct {
    /// Whether a key with a space in it stands for another field as well: such a record is odd.
    minds_spaces: bool,
    /// Whether a key without a step makes the record odd.
    is_closed: bool,
    /// The step seen first.
    first: u16 = none,
};

const table_bits = 12;
const table_size = 1 << table_bits;
const max_steps = table_size / 2;
const max_nodes = 64;

/// The keys that are looked at. Grows while routes are added, never shrinks.
pub const Keys = struct {
    steps: [max_steps]Step = undefined,
    n_steps: u16 = 0,
    nodes: [max_nodes]Node = undefined,
    n_nodes: u16 = 0,
    table: [table_size]u16 = @splat(none),

    pub fn addNode(self: *Keys, minds_spaces: bool, is_closed: bool) error{Full}!void {
        if (self.n_nodes == max_nodes) return error.Full;
        self.nodes[self.n_nodes] = .{ .minds_spaces = minds_spaces, .is_closed = is_closed };
        self.n_nodes += 1;
    }

    /// `key` must live as long as this.
    pub fn add(self: *Keys, step: Step) error{Full}!void {
        if (self.n_steps == max_steps or step.parent >= self.n_nodes) return error.Full;
        var place = placeOf(step.parent, step.key);
        while (self.table[place] != none) place = (place + 1) % table_size;
        self.table[place] = self.n_steps;
        self.steps[self.n_steps] = step;
        self.n_steps += 1;
    }

    fn find(self: *const Keys, parent: u16, key: []const u8) u16 {
        var place = placeOf(parent, key);
        while (self.table[place] != none) : (place = (place + 1) % table_size) {
            const found = self.table[place];
            const step = &self.steps[found];
            if (step.parent == parent and std.mem.eql(u8, step.key, key)) return found;
        }
        return none;
    }

    fn placeOf(parent: u16, key: []const u8) usize {
        var head: u64 = 0;
        var tail: u64 = 0;
        if (key.len >= 8) {
            head = std.mem.readInt(u64, key[0..8], .little);
            tail = std.mem.readInt(u64, key[key.len - 8 ..][0..8], .little);
        } else for (key) |byte| {
            head = head << 8 | byte;
        }
        const mixed = (head ^ (tail *% 0x9E3779B97F4A7C15) ^ (@as(u64, parent) << 32 | key.len)) *% 0xD6E8FEB86659FD93;
        return @intCast(mixed >> (64 - table_bits));
    }
};

pub const max_slots = 1024;

/// The values of one record by slot.
pub const Slots = struct {
    tokens: [max_slots]Token = undefined,
    stamps: [max_slots]u32 = @splat(0),
    stamp: u32 = 0,
    /// Nodes that this record has as objects.
    entered: u64 = 0,
    /// Characters of ASCII that are written `\\u00..` somewhere in it, one bit each.
    hidden: u128 = 0,

    pub fn begin(self: *Slots) void {
        self.entered = 0;
        self.hidden = 0;
        self.stamp +%= 1;
        if (self.stamp == 0) {
            self.stamps = @splat(0);
            self.stamp = 1;
        }
    }

    pub fn get(self: *const Slots, slot: u16) Token {
        return if (self.stamps[slot] == self.stamp) self.tokens[slot] else .{};
    }

    pub fn set(self: *Slots, slot: u16, token: Token) void {
        self.stamps[slot] = self.stamp;
        self.tokens[slot] = token;
    }
};

pub const Error = error{ Odd, Barred };

pub const Reader = struct {
    data: []const u8,
    at: usize,
    keys: *Keys,
    slots: *Slots,

    /// Reads the object at `at`; leaves `at` behind it and the blanks after it, at a line feed or the end.
    pub fn record(self: *Reader) Error!void {
        self.slots.begin();
        self.blanks();
        try self.expect('{');
        try self.object(0, max_depth);
        self.blanks();
        if (self.at < self.data.len and self.data[self.at] != '\n') return error.Odd;
    }

    /// Behind an opening brace.
    fn object(self: *Reader, node: u16, depth: u8) Error!void {
        if (depth == 0) return error.Odd;
        const here = &self.keys.nodes[node];
        var guess = &here.first;
        self.blanks();
        if (self.take('}')) return;
        while (true) {
            try self.expect('"');
            const found = try self.key(node, here.minds_spaces, guess.*);
            if (found != none) {
                guess.* = found;
                guess = &self.keys.steps[found].next;
            }
            self.blanks();
            try self.expect(':');
            self.blanks();
            if (found == none) {
                if (here.is_closed) return error.Odd;
                try self.skip(depth - 1);
            } else try self.step(self.keys.steps[found], depth - 1);
            self.blanks();
            if (self.take(',')) {
                self.blanks();
                continue;
            }
            return self.expect('}');
        }
    }

    /// Behind the quote of a key: the step it is, and `at` behind its closing quote.
    fn key(self: *Reader, node: u16, minds_spaces: bool, guess: u16) Error!u16 {
        if (guess != none) {
            const step_ = &self.keys.steps[guess];
            const end = self.at + step_.key.len;
            if (end < self.data.len and self.data[end] == '"' and std.mem.eql(u8, step_.key, self.data[self.at..end])) {
                self.at = end + 1;
                return guess;
            }
        }
        const token = try self.string();
        if (token.has_escape) return error.Odd;
        if (minds_spaces and std.mem.indexOfScalar(u8, token.bytes, ' ') != null) return error.Odd;
        return self.keys.find(node, token.bytes);
    }

    fn step(self: *Reader, to: Step, depth: u8) Error!void {
        if (to.child != none and self.peek() == '{') {
            self.at += 1;
            self.slots.entered |= @as(u64, 1) << @intCast(to.child);
            return self.object(to.child, depth);
        }
        const token = try self.value(depth);
        const is_foreign = to.is_barred or (to.child != none and to.slot == none);
        if (is_foreign and token.kind != .null) return error.Barred;
        if (to.slot != none) self.slots.set(to.slot, token);
    }

    fn value(self: *Reader, depth: u8) Error!Token {
        switch (self.peek()) {
            '"' => {
                self.at += 1;
                return self.string();
            },
            't' => return self.word("true", .true),
            'f' => return self.word("false", .false),
            'n' => return self.word("null", .null),
            '-', '0'...'9' => return self.number(),
            else => {
                try self.skip(depth);
                return .{ .kind = .odd };
            },
        }
    }

    fn skip(self: *Reader, depth: u8) Error!void {
        switch (self.peek()) {
            '"' => {
                self.at += 1;
                _ = try self.string();
            },
            '{' => try self.skipObject(depth),
            '[' => try self.skipArray(depth),
            't', 'f', 'n', '-', '0'...'9' => _ = try self.value(depth),
            else => return error.Odd,
        }
    }

    fn skipObject(self: *Reader, depth: u8) Error!void {
        if (depth == 0) return error.Odd;
        self.at += 1;
        self.blanks();
        if (self.take('}')) return;
        while (true) {
            try self.expect('"');
            _ = try self.string();
            self.blanks();
            try self.expect(':');
            self.blanks();
            try self.skip(depth - 1);
            self.blanks();
            if (!self.take(',')) return self.expect('}');
            self.blanks();
        }
    }

    fn skipArray(self: *Reader, depth: u8) Error!void {
        if (depth == 0) return error.Odd;
        self.at += 1;
        self.blanks();
        if (self.take(']')) return;
        while (true) {
            try self.skip(depth - 1);
            self.blanks();
            if (!self.take(',')) return self.expect(']');
            self.blanks();
        }
    }

    /// Behind the opening quote. Escapes are checked here, their meaning is left to whoever wants the text.
    fn string(self: *Reader) Error!Token {
        const width = 32;
        const Block = @Vector(width, u8);
        const Mask = @Int(.unsigned, width);
        const begin = self.at;
        var has_escape = false;
        var at = begin;
        while (at + width <= self.data.len) {
            const block: Block = self.data[at..][0..width].*;
            const quotes: Mask = @bitCast(block == @as(Block, @splat('"')));
            const slashes: Mask = @bitCast(block == @as(Block, @splat('\\')));
            const controls: Mask = @bitCast(block < @as(Block, @splat(0x20)));
            var left = quotes | slashes | controls;
            var next = at + width;
            while (left != 0) {
                const place: u5 = @intCast(@ctz(left));
                const bit = @as(Mask, 1) << place;
                if (slashes & bit == 0) {
                    if (controls & bit != 0) return error.Odd;
                    return self.close(begin, at + place, has_escape);
                }
                has_escape = true;
                try self.escape(at + place);
                // The escaped character is none of the special ones; at the edge of the block it is the next one's.
                if (place >= width - 2) {
                    next = at + place + 2;
                    break;
                }
                left &= ~(bit | bit << 1);
            }
            at = next;
        }
        while (at < self.data.len) : (at += 1) {
            const byte = self.data[at];
            if (byte == '"') return self.close(begin, at, has_escape);
            if (byte < 0x20) return error.Odd;
            if (byte == '\\') {
                has_escape = true;
                try self.escape(at);
                at += 1;
            }
        }
        return error.Odd;
    }

    fn close(self: *Reader, begin: usize, end: usize, has_escape: bool) Token {
        self.at = end + 1;
        return .{ .kind = .text, .has_escape = has_escape, .bytes = self.data[begin..end] };
    }

    fn escape(self: *Reader, at: usize) Error!void {
        if (at + 1 >= self.data.len) return error.Odd;
        switch (self.data[at + 1]) {
            '"', '\\', '/', 'b', 'f', 'n', 'r', 't' => {},
            'u' => {
                if (at + 6 > self.data.len) return error.Odd;
                const digits = self.data[at + 2 ..][0..4];
                var point: u16 = 0;
                for (digits) |digit| {
                    point = point << 4 | (std.fmt.charToDigit(digit, 16) catch return error.Odd);
                }
                if (point < 0x80) self.slots.hidden |= @as(u128, 1) << @intCast(point);
            },
            else => return error.Odd,
        }
    }

    /// Integers as they stand; what Python would write otherwise (`-0`, long ones) and fractions are odd values.
    fn number(self: *Reader) Error!Token {
        const begin = self.at;
        _ = self.take('-');
        const digits = self.at;
        while (self.at < self.data.len and std.ascii.isDigit(self.data[self.at])) self.at += 1;
        const n_digits = self.at - digits;
        if (n_digits == 0 or (n_digits > 1 and self.data[digits] == '0')) return error.Odd;
        var kind: Kind = .integer;
        if (n_digits > 300 or (digits > begin and self.data[digits] == '0')) kind = .odd;
        if (self.take('.')) {
            kind = .odd;
            try self.moreDigits();
        }
        if (self.peek() | 0x20 == 'e') {
            kind = .odd;
            self.at += 1;
            if (!self.take('+')) _ = self.take('-');
            try self.moreDigits();
        }
        return .{ .kind = kind, .bytes = self.data[begin..self.at] };
    }

    fn moreDigits(self: *Reader) Error!void {
        const begin = self.at;
        while (self.at < self.data.len and std.ascii.isDigit(self.data[self.at])) self.at += 1;
        if (self.at == begin) return error.Odd;
    }

    fn word(self: *Reader, comptime text: []const u8, kind: Kind) Error!Token {
        if (self.at + text.len > self.data.len) return error.Odd;
        const bytes = self.data[self.at..][0..text.len];
        if (!std.mem.eql(u8, bytes, text)) return error.Odd;
        self.at += text.len;
        return .{ .kind = kind, .bytes = bytes };
    }

    fn blanks(self: *Reader) void {
        while (self.at < self.data.len) : (self.at += 1) {
            switch (self.data[self.at]) {
                ' ', '\t', '\r' => {},
                else => return,
            }
        }
    }

    fn peek(self: *const Reader) u8 {
        return if (self.at < self.data.len) self.data[self.at] else 0;
    }

    fn take(self: *Reader, byte: u8) bool {
        if (self.peek() != byte or self.at >= self.data.len) return false;
        self.at += 1;
        return true;
    }

    fn expect(self: *Reader, byte: u8) Error!void {
        if (!self.take(byte)) return error.Odd;
    }
};
