"""Commands about registered models.

command   the group
looking   what there is
deciding  who becomes champion
canary    a challenger on rows that were served
"""
