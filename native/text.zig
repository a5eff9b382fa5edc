//! The text of a JSON string as rules compare it: escapes undone, letters folded (`amagasa.detect.folding`).
//!
//! What is rare is not tried: the caller then leaves the whole record to the exact engine.

const std = @import("std");

const width = 16;
const Block = @Vector(width, u8);

/// Folds of U+0080 to U+07FF, each at most three bytes, made by the exact engine's own folding.
pub const Folds = struct {
    pub const first = 0x80;
    pub const count = 0x800 - first;
    points: [count]u16,
};

/// `raw` folded into `out`, which must hold `raw.len * 2` bytes; null where it is left to others. With `has_escapes` a
/// backslash begins an escape of JSON, otherwise it is a character like others.
pub fn folded(folds: *const Folds, raw: []const u8, out: []u8, has_escapes: bool) ?[]u8 {
    var i: usize = 0;
    var n: usize = 0;
    while (i < raw.len) {
        if (i + width <= raw.len) {
            const block: Block = raw[i..][0..width].*;
            const is_special = (block == @as(Block, @splat('\\'))) | (block >= @as(Block, @splat(0x80)));
            if (!@reduce(.Or, is_special)) {
                const is_large = (block -% @as(Block, @splat('A'))) < @as(Block, @splat(26));
                out[n..][0..width].* = @select(u8, is_large, block | @as(Block, @splat(0x20)), block);
                i += width;
                n += width;
                continue;
            }
        }
        const byte = raw[i];
        if (byte < 0x80 and (byte != '\\' or !has_escapes)) {
            out[n] = lower(byte);
            i += 1;
            n += 1;
        } else if (byte == '\\') {
            if (i + 1 >= raw.len) return null;
            switch (raw[i + 1]) {
                '"', '\\', '/' => |c| out[n] = c,
                'n' => out[n] = '\n',
                'r' => out[n] = '\r',
                't' => out[n] = '\t',
                'b' => out[n] = 8,
                'f' => out[n] = 12,
                'u' => {
                    const point = hex4(raw, i + 2) orelse return null;
                    n = put(folds, point, out, n) orelse return null;
                    i += 6;
                    continue;
                },
                else => return null,
            }
            n += 1;
            i += 2;
        } else {
            const length = beyondAscii(folds, raw[i..], out, &n) orelse return null;
            i += length;
        }
    }
    return out[0..n];
}

pub fn lower(byte: u8) u8 {
    return if (byte -% 'A' < 26) byte | 0x20 else byte;
}

/// One character beyond ASCII; its length in `raw`.
fn beyondAscii(folds: *const Folds, raw: []const u8, out: []u8, n: *usize) ?usize {
    const lead = raw[0];
    if (lead >= 0xC2 and lead <= 0xDF) {
        if (raw.len < 2 or !isTail(raw[1])) return null;
        const point = (@as(u16, lead & 0x1F) << 6) | (raw[1] & 0x3F);
        n.* = put(folds, point, out, n.*) orelse return null;
        return 2;
    }
    // U+3000 to U+9FFF, the syllables of Korean, and U+1F000 to U+1FFFF have no case.
    if (lead >= 0xE3 and lead <= 0xE9 or lead == 0xEB or lead == 0xEC) {
        if (raw.len < 3 or !isTail(raw[1]) or !isTail(raw[2])) return null;
        @memcpy(out[n.*..][0..3], raw[0..3]);
        n.* += 3;
        return 3;
    }
    if (lead == 0xF0 and raw.len >= 4 and raw[1] == 0x9F and isTail(raw[2]) and isTail(raw[3])) {
        @memcpy(out[n.*..][0..4], raw[0..4]);
        n.* += 4;
        return 4;
    }
    return null;
}

fn isTail(byte: u8) bool {
    return byte & 0xC0 == 0x80;
}

/// The folded code point as UTF-8; the new length, or null where no fold is known here.
fn put(folds: *const Folds, point: u16, out: []u8, at: usize) ?usize {
    if (point < 0x80) {
        out[at] = lower(@intCast(point));
        return at + 1;
    }
    var to = point;
    if (point < 0x800) {
        to = folds.points[point - Folds.first];
    } else if (!(point >= 0x3000 and point <= 0x9FFF or point >= 0xB000 and point <= 0xCFFF)) return null;
    if (to < 0x80) return null;
    if (to < 0x800) {
        out[at] = @intCast(0xC0 | to >> 6);
        out[at + 1] = @intCast(0x80 | (to & 0x3F));
        return at + 2;
    }
    out[at] = @intCast(0xE0 | to >> 12);
    out[at + 1] = @intCast(0x80 | (to >> 6 & 0x3F));
    out[at + 2] = @intCast(0x80 | (to & 0x3F));
    return at + 3;
}

fn hex4(raw: []const u8, at: usize) ?u16 {
    if (at + 4 > raw.len) return null;
    var value: u16 = 0;
    for (raw[at..][0..4]) |digit| {
        value = value << 4 | (std.fmt.charToDigit(digit, 16) catch return null);
    }
    return value;
}
